"""An executor: works through a list of jobs and tells how they ended.

All executors have one interface. `inline` works in this process, one run after another; `processes` uses several local
processes with one thread each, which is faster than sharing threads between runs; `ray` uses a cluster.

Small networks of one architecture train together, in one process, when more runs wait than there are processes (see
`genwindow.runs.company` for what they must have in common).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import final

from typing_extensions import override

from genwindow.runs import Interrupted, company
from genwindow.sweep.jobs import Job, Outcome, attempt_together, keep_failure

POLL = 0.25
"""Seconds between two looks at the workers."""

BUSY = 2.0
"""Seconds until a run that another driver works on is looked at again."""

RETRIES = 2
"""How often a run is taken up again whose process was killed."""


MOST = 8
"""Runs that train together at most. More gain little: the weights of all have to come from memory at every step."""


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
    """One run after another in this process, or one company of runs after another.

    Args:
        together: let runs that can train together do so.
    """

    def __init__(self, *, together: bool = True) -> None:
        self.together = together

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        queue = Queue(jobs, together=self.together)
        while not queue.finished:
            chosen = queue.next_company()
            if not chosen:
                on_wait()
                time.sleep(POLL)
                continue
            outcomes = attempt_together(chosen, on_wait)
            if any(outcome.state == "interrupted" for outcome in outcomes):
                raise Interrupted
            for outcome in outcomes:
                queue.settle(outcome)
        return queue.outcomes()


@final
class Queue:
    """Jobs to be given out and their outcomes; what the executors share.

    Args:
        jobs: in the order in which they are to begin.
        together: whether companies are given out at all.
    """

    def __init__(self, jobs: Sequence[Job], *, together: bool = False) -> None:
        self._shared = {job: company(job.config) if together and job.enough is None else None for job in jobs}
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

    def next_company(self, idle: int = 1) -> list[Job]:
        """Jobs to begin now in one process, to be trained together; one job where that is not possible; or none.

        Args:
            idle: processes that wait for jobs; the jobs are dealt out among them.
        """
        first = self.next()
        if first is None:
            return []
        key = self._company(first)
        if key is None:
            return [first]
        alike = [first, *(job for job in self._ready if self._company(job) == key)]
        chosen = alike[::idle][:MOST]
        self._ready = deque(job for job in self._ready if job not in chosen)
        return chosen

    def _company(self, job: Job) -> tuple[object, ...] | None:
        """What a job must share with others to be given out with them.

        After the death of their process the same jobs try once more together, in the end each one alone: the one that
        kills the process must not take the others with it.
        """
        deaths, shared = self._deaths.get(job, 0), self._shared[job]
        return None if shared is None or deaths >= RETRIES else (*shared, deaths)

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
