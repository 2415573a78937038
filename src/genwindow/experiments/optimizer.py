"""`optimizer`: SGD with momentum against Adam (appendices A and B of arXiv 2505.17638)."""

from __future__ import annotations

from collections.abc import Sequence

from genwindow.experiments.arms import arms, compare_arms
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, faces, smoke
from genwindow.runs import RunConfig, RunResult

NAMES = {"adam": "Adam", "sgd": "SGD"}


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every n with both optimizers."""
    if scale == "smoke":
        return [smoke(n, optimizer=o) for o in ("adam", "sgd") for n in (8, 16)]
    if scale == "cpu":
        return [digits_mlp(n, steps=20_000, optimizer=o) for o in ("adam", "sgd") for n in (32, 64, 128, 256)]
    return [
        faces(n, optimizer=o, steps=2_000_000 if o == "sgd" else 500_000)
        for o in ("adam", "sgd")
        for n in (512, 1024, 2048, 4096)
    ]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The two laws side by side."""
    return compare_arms(arms(runs, lambda r: NAMES[r.config.train.optimizer]), "tau_mem grows as n to the power")


EXPERIMENT = Experiment(
    "optimizer",
    "SGD and Adam: another clock, the same order of events",
    "tau_mem grows in proportion to n with SGD and with Adam (appendices A and B of arXiv 2505.17638).",
    configs,
    analyse,
)
