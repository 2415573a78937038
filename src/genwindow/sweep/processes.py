"""Local processes with one thread each. A process that is killed is replaced, and its run resumed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import final

import torch
from threadpoolctl import threadpool_limits
from typing_extensions import override

from genwindow.errors import check_integer
from genwindow.runs import Interrupted, stop_request
from genwindow.sweep.executors import POLL, Executor, Queue
from genwindow.sweep.jobs import Job, Outcome, attempt_together

GRACE = 60.0
"""Seconds a run has to write its checkpoint when the sweep is stopped."""


@final
class Processes(Executor):
    """Local processes with one thread each.

    Args:
        workers: how many; None takes one for each core.
        together: let runs that can train together share a process, when more runs wait than processes.
    """

    def __init__(self, workers: int | None = None, *, together: bool = True) -> None:
        self.together = together
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = cores if workers is None else check_integer("workers", workers, low=1)

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        queue = Queue(jobs, together=self.together)
        crew = [_Worker() for _ in range(min(self.workers, len(jobs)))]
        with stop_request() as stop:
            try:
                while not queue.finished and not stop.made:
                    idle = [worker for worker in crew if not worker.jobs]
                    for i, worker in enumerate(idle):
                        worker.feed(queue.next_company(len(idle) - i))
                    _listen(crew, queue, POLL)
                    on_wait()
            finally:
                if stop.made:
                    for worker in crew:
                        worker.ask_to_stop()
                    _wait_for(crew, queue)
                for worker in crew:
                    worker.close()
        if not queue.finished:
            raise Interrupted
        return queue.outcomes()


def _listen(crew: Sequence[_Worker], queue: Queue, seconds: float) -> None:
    """Take what workers report within `seconds`; a report ends the waiting."""
    by_end = {worker.end: worker for worker in crew if worker.end is not None}
    if not by_end:
        time.sleep(seconds)
    for end in wait(list(by_end), seconds):
        by_end[end].take(queue)  # type: ignore[index]


def _wait_for(crew: Sequence[_Worker], queue: Queue) -> None:
    deadline = time.monotonic() + GRACE
    while any(worker.jobs for worker in crew) and time.monotonic() < deadline:
        _listen(crew, queue, POLL)


@final
class _Worker:
    """The driver's side of one process: started with the first job, started again when it was killed."""

    def __init__(self) -> None:
        self.jobs: Sequence[Job] = ()
        self.end: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    def feed(self, jobs: Sequence[Job]) -> None:
        """Give it jobs to be made at once; with none it goes on waiting."""
        if not jobs:
            return
        if self.end is None:
            self._start()
        self.jobs = jobs
        try:
            assert self.end is not None
            self.end.send(jobs)
        except OSError:
            pass  # it is gone, which the next `take` finds out

    def take(self, queue: Queue) -> None:
        """Take its outcomes, or notice that it is gone."""
        assert self.end is not None and self._process is not None
        try:
            outcomes: list[Outcome] = self.end.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            jobs, self.jobs = self.jobs, ()
            self.close()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
            for job in reversed(jobs):  # each goes to the front of the queue
                queue.died(job, f"the process working on it {how}{hint}")
            return
        self.jobs = ()
        for outcome in reversed(outcomes):  # the interrupted go to the front of the queue
            queue.settle(outcome)

    def ask_to_stop(self) -> None:
        """The runs in hand are to write their checkpoints and end."""
        if self.jobs and self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Let the process go."""
        if self.end is not None:
            self.end.close()
        if self._process is not None:
            if self.jobs:
                self._process.kill()
            self._process.join()
        self.end = self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.end, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=False)
        with _interrupts_ignored():  # inherited: the terminal's Ctrl-C must not break a worker's imports
            self._process.start()
        theirs.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)


def _work(end: Connection) -> None:
    """The worker's side: one job, or several at once, after another until the driver closes its end."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            jobs: Sequence[Job] = end.recv()
            end.send(attempt_together(jobs))
        except (EOFError, OSError):
            return


def _follow_parent() -> None:
    """When the driver dies, a run in hand writes its checkpoint and the worker goes."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)
