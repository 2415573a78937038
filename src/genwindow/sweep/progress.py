"""Progress of several runs, read from their folders: whoever works on them need not report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genwindow.errors import GenwindowError
from genwindow.runs import RunFolder, work
from genwindow.sweep.executors import Job


@dataclass(frozen=True)
class SweepProgress:
    """How far a list of jobs is.

    Attributes:
        done: share of the work of all runs together that is done, measuring included.
        states: for each job `waiting`, or what its status file says, with step and last f_mem.
    """

    done: float
    states: tuple[tuple[str, int, float | None], ...]


def read_progress(jobs: Sequence[Job]) -> SweepProgress:
    """Look at every job's status file."""
    states = []
    for job in jobs:
        try:
            status = RunFolder(job.folder).read("status")
        except GenwindowError:
            status = {}
        states.append((status.get("state", "waiting"), int(status.get("step", 0)), status.get("f_mem")))
    made = sum(work(job.config, state[1]) for job, state in zip(jobs, states, strict=True))
    total = sum(work(job.config, job.config.train.steps) for job in jobs)
    return SweepProgress(made / total if jobs else 1.0, tuple(states))
