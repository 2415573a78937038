"""Progress of several runs, read from their folders: whoever works on them need not report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from genwindow.errors import GenwindowError
from genwindow.runs import RunFolder, work
from genwindow.sweep.jobs import Job, failure

State = Literal["done", "running", "interrupted", "failed", "missing"]


@dataclass(frozen=True)
class SweepProgress:
    """How far a list of jobs is.

    Attributes:
        done: share of the work of all runs together that is done, measuring included.
        states: for each job `waiting`, or what its status file says (`done` too when it ended with enough), with
            step and last f_mem.
    """

    done: float
    states: tuple[tuple[str, int, float | None], ...]


def read_progress(jobs: Sequence[Job]) -> SweepProgress:
    """Look at every job's status file."""
    states = []
    for job in jobs:
        status = _status(job)
        ended = job.enough is not None and str(status.get("message", "")).startswith("ended")
        state = "done" if ended else status.get("state", "waiting")
        states.append((state, int(status.get("step", 0)), status.get("f_mem")))
    total = sum(work(job.config, job.config.train.steps) for job in jobs)
    made = sum(
        work(job.config, job.config.train.steps if state == "done" else step)
        for job, (state, step, _) in zip(jobs, states, strict=True)
    )
    return SweepProgress(made / total if jobs else 1.0, tuple(states))


@dataclass(frozen=True)
class RunStatus:
    """What became of one job.

    Attributes:
        job: which.
        state: `done`; `running` (a process works on it now); `interrupted` (begun, nobody works on it, a driver would
            resume it); `failed` (see `reason`); `missing` (not begun).
        step: training steps made, as far as the status file knows.
        seconds: time spent so far.
        left: seconds until the end at the run's own pace, for a run that has begun and is not over; else None.
        reason: why it failed; empty otherwise.
    """

    job: Job
    state: State
    step: int
    seconds: float
    left: float | None
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values; the run by the name of its folder."""
        return {
            "run": self.job.folder.name, "state": self.state, "step": self.step,
            "steps": self.job.config.train.steps, "seconds": self.seconds, "left": self.left, "reason": self.reason,
        }  # fmt: skip


def run_status(job: Job) -> RunStatus:
    """Look at one run. Whether a process works on it is asked of the operating system, not of the status file."""
    status = _status(job)
    step, seconds = int(status.get("step", 0)), float(status.get("seconds", 0.0))
    if status.get("state") == "done":
        return RunStatus(job, "done", job.config.train.steps, seconds, None)
    reason = failure(job)
    busy = RunFolder(job.folder).busy
    state: State = "running" if busy else "failed" if reason else "interrupted" if status else "missing"
    made, total = work(job.config, step), work(job.config, job.config.train.steps)
    left = seconds * (total - made) / made if made > 0 and state in ("running", "interrupted") else None
    return RunStatus(job, state, step, seconds, left, reason if state == "failed" else "")


def time_left(found: Sequence[RunStatus], workers: int) -> float | None:
    """Seconds until all runs are over with so many workers, at the pace of the runs so far; None before any pace.

    Runs not begun are taken to cost their share of the work counted by `work`.
    """
    known = [(work(s.job.config, s.step), s.seconds) for s in found if s.step > 0 and s.seconds > 0]
    spent = sum(made for made, _ in known)
    if not spent:
        return None
    pace = sum(seconds for _, seconds in known) / spent
    open_runs = [s for s in found if s.state in ("running", "interrupted", "missing")]
    each = [pace * (work(s.job.config, s.job.config.train.steps) - work(s.job.config, s.step)) for s in open_runs]
    return max(sum(each) / max(workers, 1), max(each, default=0.0))


def _status(job: Job) -> dict[str, Any]:
    try:
        return RunFolder(job.folder).read("status")
    except GenwindowError:
        return {}
