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
from typing_extensions import override

from genwindow.errors import check_integer
from genwindow.runs import Interrupted, stop_request
from genwindow.sweep.executors import POLL, Executor, Queue
from genwindow.sweep.jobs import Job, Outcome, attempt

GRACE = 60.0
"""Seconds a run has to write its checkpoint when the sweep is stopped."""


@final
class Processes(Executor):
    """Local processes with one thread each; as many as there are cores when `workers` is None."""

    def __init__(self, workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = cores if workers is None else check_integer("workers", workers, low=1)

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        queue = Queue(jobs)
        crew = [_Worker() for _ in range(min(self.workers, len(jobs)))]
        with stop_request() as stop:
            try:
                while not queue.finished and not stop.made:
                    for worker in crew:
                        worker.feed(queue)
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
    while any(worker.job is not None for worker in crew) and time.monotonic() < deadline:
        _listen(crew, queue, POLL)


@final
class _Worker:
    """The driver's side of one process: started with the first job, started again when it was killed."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.end: Connection | None = None
        self._process: multiprocessing.process.BaseProcess | None = None

    def feed(self, queue: Queue) -> None:
        """Give it a job when it has none."""
        if self.job is not None or (job := queue.next()) is None:
            return
        if self.end is None:
            self._start()
        self.job = job
        try:
            assert self.end is not None
            self.end.send(job)
        except OSError:
            pass  # it is gone, which the next `take` finds out

    def take(self, queue: Queue) -> None:
        """Take its outcome, or notice that it is gone."""
        assert self.end is not None and self._process is not None
        try:
            outcome: Outcome = self.end.recv()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            job, self.job = self.job, None
            self.close()
            if job is not None:
                how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
                hint = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
                queue.died(job, f"the process working on it {how}{hint}")
            return
        self.job = None
        queue.settle(outcome)

    def ask_to_stop(self) -> None:
        """The run in hand is to write its checkpoint and end."""
        if self.job is not None and self._process is not None:
            self._process.terminate()

    def close(self) -> None:
        """Let the process go."""
        if self.end is not None:
            self.end.close()
        if self._process is not None:
            if self.job is not None:
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
    """The worker's side: one job after another until the driver closes its end."""
    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()
    while True:
        try:
            job: Job = end.recv()
            end.send(attempt(job))
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
