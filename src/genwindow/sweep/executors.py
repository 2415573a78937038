"""An executor: runs a list of jobs, each a run configuration and its folder, and tells how they ended.

All executors have one interface. `inline` works in this process, one run after another; `processes` uses several local
processes with one thread each, which is faster than sharing threads between runs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import final

import torch
from typing_extensions import override

from genwindow.errors import GenwindowError, check_integer
from genwindow.runs import Interrupted, RunConfig, execute


@dataclass(frozen=True)
class Job:
    """One run to be made: its settings and its folder."""

    config: RunConfig
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """How a job ended: `error` is empty when the run is done, else one line that says why not."""

    job: Job
    error: str


class Executor(ABC):
    """Runs jobs."""

    @abstractmethod
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        """Run all jobs; the outcomes are in the order of the jobs.

        A run that fails does not stop the others.

        Args:
            jobs: what to run.
            on_wait: called often while waiting, to show progress.

        Raises:
            Interrupted: after Ctrl-C, when every run has written its checkpoint.
        """


def _attempt(job: Job, on_wait: Callable[[], None] = lambda: None) -> Outcome:
    try:
        execute(job.config, job.folder, on_progress=lambda _: on_wait())
    except GenwindowError as error:
        return Outcome(job, str(error))
    return Outcome(job, "")


@final
class Inline(Executor):
    """One run after another in this process."""

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        return [_attempt(job, on_wait) for job in jobs]


_stop: Event | None = None


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


def _enter_worker(stop: Event) -> None:
    """One thread; when the parent dies, save and go."""
    global _stop
    _stop = stop
    torch.set_num_threads(1)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)  # a run in hand writes its checkpoint
    threading.Event().wait(60)
    os._exit(1)


def _attempt_in_worker(job: Job) -> Outcome:
    if _stop is not None and _stop.is_set():
        return Outcome(job, "not started")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _attempt(job)
    except KeyboardInterrupt:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            os._exit(1)  # nobody is left to tell
        return Outcome(job, "interrupted")
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@final
class Processes(Executor):
    """Local processes with one thread each; as many as there are cores when `workers` is None."""

    def __init__(self, workers: int | None = None) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.workers = cores if workers is None else check_integer("workers", workers, low=1)

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        workers = max(min(self.workers, len(jobs)), 1)
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_enter_worker, initargs=(stop,))
        try:
            with _interrupts_ignored():  # the workers inherit it, so Ctrl-C cannot break their imports
                futures = [pool.submit(_attempt_in_worker, job) for job in jobs]
            pending: set[Future[Outcome]] = set(futures)
            while pending:
                _, pending = wait(pending, timeout=0.25, return_when=FIRST_COMPLETED)
                on_wait()
        except KeyboardInterrupt:
            stop.set()  # the workers got the signal too: runs in hand write their checkpoints, others do not start
            pool.shutdown(wait=True, cancel_futures=True)
            raise Interrupted from None
        pool.shutdown()
        return [_outcome(job, future) for job, future in zip(jobs, futures, strict=True)]


def _outcome(job: Job, future: Future[Outcome]) -> Outcome:
    error = future.exception()
    if error is None:
        return future.result()
    return Outcome(job, f"the process working on {job.folder} ended: {type(error).__name__}; run it again to resume")
