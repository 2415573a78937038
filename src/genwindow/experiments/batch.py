"""`batch`: all images at every step against a fixed batch (appendix A of arXiv 2505.17638)."""

from __future__ import annotations

from collections.abc import Sequence

from genwindow.experiments.arms import arms, compare_arms
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, faces, smoke
from genwindow.runs import RunConfig, RunResult


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every n with a fixed batch and with the full one."""
    if scale == "smoke":
        return [smoke(n, batch=batch) for batch in (4, 0) for n in (8, 16)]
    if scale == "cpu":
        return [digits_mlp(n, steps=20_000, batch=batch) for batch in (32, 0) for n in (32, 64, 128, 256, 512)]
    return [faces(n, batch=batch) for batch in (512, 0) for n in (512, 1024, 2048, 4096)]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The two laws side by side, in steps."""
    found = arms(runs, lambda r: f"batch {r.config.train.batch}" if r.config.train.batch else "full batch")
    return compare_arms(found, "Counted in steps, tau_mem grows as n to the power")


EXPERIMENT = Experiment(
    "batch",
    "Copying is not about how often an image is seen",
    "tau_mem in steps grows with n also when every step sees every image (appendix A of arXiv 2505.17638); were it the "
    "number of times an image is seen, tau_mem at full batch would not depend on n.",
    configs,
    analyse,
)
