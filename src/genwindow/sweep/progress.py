"""Progress of several runs, read from their folders: whoever works on them need not report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genwindow.errors import GenwindowError
from genwindow.runs import RunFolder
from genwindow.sweep.executors import Job


@dataclass(frozen=True)
class SweepProgress:
    """How far a list of jobs is.

    Attributes:
        done: gradient steps made by all runs together.
        total: gradient steps of all runs together.
        states: for each job `waiting`, or what its status file says, with step and last f_mem.
    """

    done: int
    total: int
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
    return SweepProgress(sum(s[1] for s in states), sum(j.config.train.steps for j in jobs), tuple(states))
