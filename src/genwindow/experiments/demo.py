"""The demo: the window on real handwritten digits, four training-set sizes, a few minutes on two cores.

A residual MLP that predicts the clean image is trained by Adam on n = 32, 64, 128 and 256 digits of 8 x 8 pixels, with
the same batch of 32 at every n so that only n differs, and a moving average of its weights (decay 0.99) is measured.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from genwindow.errors import GenwindowError
from genwindow.experiments.comparison import Comparison, compare
from genwindow.report import png, summary_figure, write_page
from genwindow.runs import (
    DataSettings,
    DiffusionSettings,
    MeasureSettings,
    NetSettings,
    RunConfig,
    RunFolder,
    TrainSettings,
    to_json_text,
    write_atomically,
)
from genwindow.sweep import Executor, Job, SweepProgress, read_progress

SIZES = (32, 64, 128, 256)
STEPS = 12_000


def demo_config(n: int, *, seed: int = 0, steps: int = STEPS) -> RunConfig:
    """Settings of one run of the demo."""
    return RunConfig(
        data=DataSettings(source="digits", n=n, seed=seed),
        diffusion=DiffusionSettings(schedule="linear", prediction="data"),
        net=NetSettings(kind="mlp", width=256, blocks=3),
        train=TrainSettings(steps=steps, optimizer="adam", lr=5e-4, batch=32, ema=0.99, seed=seed),
        measure=MeasureSettings(first=50, per_octave=3, samples=1000, sampler="ddim", sampler_steps=50),
    )


def demo_jobs(out: Path, *, seed: int = 0, steps: int = STEPS) -> list[Job]:
    """The four runs, one folder each; the folder names the settings, so another seed never meets these."""
    configs = [demo_config(n, seed=seed, steps=steps) for n in SIZES]
    return [Job(c, out / f"n{c.data.n}-{c.digest}") for c in configs]


def run_demo(
    out: Path,
    executor: Executor,
    *,
    seed: int = 0,
    steps: int = STEPS,
    on_progress: Callable[[SweepProgress], None] = lambda _: None,
) -> Comparison:
    """Run what is not done yet, analyse, and write summary.json, summary.png and report.html into `out`.

    Raises:
        GenwindowError: when a run fails, naming it.
    """
    jobs = demo_jobs(out, seed=seed, steps=steps)
    outcomes = executor.run(jobs, lambda: on_progress(read_progress(jobs)))
    on_progress(read_progress(jobs))
    errors = [o.error for o in outcomes if o.error]
    if errors:
        raise GenwindowError("; ".join(errors))
    found = compare([RunFolder(job.folder).load() for job in jobs])
    write_atomically(out / "summary.json", to_json_text(found.summary()))
    png(summary_figure(found.runs, found.scaling), out / "summary.png")
    write_page(out / "report.html", found.page("The window between generating and copying: digits"))
    return found
