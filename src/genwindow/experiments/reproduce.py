"""Reproduce an experiment of the paper: make its runs, analyse them, write numbers, figure and page.

OUT/SCALE/runs/      run folders, shared by all experiments: a run that two of them need is made once
OUT/SCALE/NAME/      summary.json, figure.png, report.html
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from genwindow.data.points import LAWS
from genwindow.errors import GenwindowError, check_choice
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import PAPER_DATA, SCALES, Scale
from genwindow.experiments.study import Study
from genwindow.report import png, write_page
from genwindow.runs import RunConfig, RunFolder, to_json_text, work, write_atomically
from genwindow.sweep import Executor, Job, SweepFolder, SweepProgress, read_progress

MODULES = {
    "n-sweep": "n_sweep",
    "w-sweep": "w_sweep",
    "phase": "phase_plane",
    "batch": "batch",
    "optimizer": "optimizer",
    "threshold": "threshold",
    "mixture": "mixture",
    "guidance": "guidance",
    "flow": "flow",
    "fixed-t": "fixed_t",
    "heavy-tails": "heavy_tails",
    "stop-rule": "stop_rule",
    "forecast": "forecast_study",
}
"""Name of each experiment made of runs, and its module."""

STUDIES = {
    "random-features": "random_features",
    "supervised": "supervised",
}
"""Name of each experiment whose models are no runs, and its module; see `genwindow.experiments.study`."""


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        GenwindowError: when there is none.
    """
    check_choice("experiment", name, tuple(MODULES))
    found: Experiment = importlib.import_module(f"genwindow.experiments.{MODULES[name]}").EXPERIMENT
    return found


def study(name: str) -> Study:
    """The study of that name.

    Raises:
        GenwindowError: when there is none.
    """
    check_choice("study", name, tuple(STUDIES))
    found: Study = importlib.import_module(f"genwindow.experiments.{STUDIES[name]}").STUDY
    return found


def experiment_configs(name: str, scale: Scale, data: str | None = None, device: str | None = None) -> list[RunConfig]:
    """The runs of an experiment.

    Args:
        name: of the experiment.
        scale: of its runs.
        data: images to use instead of the scale's own: a named set or a path. Synthetic points stay.
        device: instead of the scale's own.
    """
    check_choice("scale", scale, SCALES)
    made = []
    for config in experiment(name).configs(scale):
        source = config.data.source if data is None or config.data.source in LAWS else data
        images = dataclasses.replace(config.data, source=source)
        made.append(dataclasses.replace(config, data=images, device=config.device if device is None else device))
    return made


def takes_images(name: str) -> bool:
    """Whether an experiment trains on images, which can be others than its own; points of a law it makes itself."""
    return name in MODULES and any(config.data.source not in LAWS for config in experiment(name).configs("smoke"))


def reproduce(
    name: str,
    scale: Scale,
    out: Path,
    executor: Executor,
    *,
    data: str | None = None,
    device: str | None = None,
    on_progress: Callable[[SweepProgress], None] = lambda _: None,
) -> Finding:
    """Make what is not done yet, analyse, and write everything.

    Raises:
        GenwindowError: when a run fails, naming it, or the `paper` scale is asked for without data.
    """
    configs = experiment_configs(name, scale, data, device)
    missing = any(config.data.source == PAPER_DATA for config in configs)
    if missing:
        raise GenwindowError("the paper scale needs images: --data FOLDER_OF_CELEBA (any folder or archive of images)")
    enough = experiment(name).enough
    jobs = [dataclasses.replace(job, enough=enough) for job in SweepFolder(out / scale / "runs").add(configs)]
    longest_first = sorted(jobs, key=lambda job: -work(job.config, job.config.train.steps))  # or it is waited for alone
    outcomes = executor.run(longest_first, lambda: on_progress(read_progress(jobs)))
    on_progress(read_progress(jobs))
    errors = [outcome.error for outcome in outcomes if outcome.error]
    if errors:
        raise GenwindowError(f"{len(errors)} of {len(jobs)} runs failed: {errors[0]}")
    return analyse(name, jobs, out / scale / name, scale)


def analyse(name: str, jobs: Sequence[Job], folder: Path, scale: Scale) -> Finding:
    """Read the runs, and write summary.json, figure.png and report.html into `folder`."""
    one = experiment(name)
    runs = [RunFolder(job.folder).load() for job in jobs]
    found = one.analyse(runs)
    summary: dict[str, Any] = {
        "experiment": name,
        "scale": scale,
        "claim": one.claim,
        "sentences": list(found.sentences),
        "command": f"genwindow reproduce {name} --scale {scale}",
        "runs": [job.folder.name for job in jobs],
        "seconds": sum(run.seconds for run in runs),
        "found": found.summary,
    }
    write_atomically(folder / "summary.json", to_json_text(summary))
    png(found.figure, folder / "figure.png", dpi=120)
    write_page(folder / "report.html", one.page(runs, found, scale))
    return found
