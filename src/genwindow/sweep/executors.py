"""An executor: works through a list of jobs and tells how they ended.

All executors have one interface. `inline` works in this process, one run after another; `processes` uses several local
processes with one thread each, which is faster than sharing threads between runs; `ray` uses a cluster.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import final

from typing_extensions import override

from genwindow.runs import Interrupted
from genwindow.sweep.jobs import Job, Outcome, attempt, keep_failure

POLL = 0.25
"""Seconds between two looks at the workers."""

BUSY = 2.0
"""Seconds until a run that another driver works on is looked at again."""

RETRIES = 2
"""How often a run is taken up again whose process was killed."""


class Executor(ABC):
    """Runs jobs."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        """Run all jobs; the outcomes are in the order of the jobs.

        A run that fails does not stop the others. A run that another driver is working on is waited for, and taken
        over should that driver go away.

        Args:
            jobs: what to run.
            on_wait: called often while waiting, to show progress.

        Raises:
            Interrupted: after Ctrl-C or SIGTERM, when every run in hand has written its checkpoint.
        """


@final
class Inline(Executor):
    """One run after another in this process."""

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        queue = Queue(jobs)
        while not queue.finished:
            job = queue.next()
            if job is None:
                on_wait()
                time.sleep(POLL)
                continue
            outcome = attempt(job, on_wait)
            if outcome.state == "interrupted":
                raise Interrupted
            queue.settle(outcome)
        return queue.outcomes()


@final
class Queue:
    """Jobs to be given out and their outcomes; what the executors share.

    Args:
        jobs: in the order in which they are to begin.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = list(jobs)
        self._ready = deque(dict.fromkeys(jobs))
        self._later: list[tuple[float, Job]] = []
        self._deaths: dict[Job, int] = {}
        self._outcomes: dict[Job, Outcome] = {}

    @property
    def finished(self) -> bool:
        """Whether every job has an outcome."""
        return all(job in self._outcomes for job in self._jobs)

    def next(self) -> Job | None:
        """A job to begin now, or None."""
        now = time.monotonic()
        self._ready.extend(job for at, job in self._later if at <= now)
        self._later = [(at, job) for at, job in self._later if at > now]
        return self._ready.popleft() if self._ready else None

    def settle(self, outcome: Outcome) -> None:
        """Take an outcome; a run that another driver works on is looked at again later."""
        if outcome.state == "busy":
            self._later.append((time.monotonic() + BUSY, outcome.job))
        elif outcome.state == "interrupted":
            self.died(outcome.job, "it was stopped from outside")
        else:
            self._outcomes[outcome.job] = outcome

    def died(self, job: Job, how: str) -> None:
        """The process working on `job` is gone: take the run up again, unless that has happened too often."""
        self._deaths[job] = self._deaths.get(job, 0) + 1
        if self._deaths[job] <= RETRIES:
            self._ready.appendleft(job)
            return
        message = f"{how}, {self._deaths[job]} times; its last checkpoint is kept"
        keep_failure(job, message)
        self._outcomes[job] = Outcome(job, message, "failed")

    def outcomes(self) -> list[Outcome]:
        """In the order of the jobs."""
        return [self._outcomes[job] for job in self._jobs]
