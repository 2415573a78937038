"""Ray: the runs of a sweep on a cluster, or on this machine as if it were one. Needs the extra `ray`.

The sweep's folder must be on storage that every node sees under the same path. A run whose worker or node goes away is
started again elsewhere and continues from its checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, final

from typing_extensions import override

from genwindow.errors import GenwindowError, check_number
from genwindow.runs import Interrupted, stop_request
from genwindow.sweep.executors import POLL, Executor, Queue
from genwindow.sweep.jobs import Job, Outcome, attempt


@final
class RayExecutor(Executor):
    """Ray tasks, one for each run.

    Args:
        address: cluster to join: `auto` finds the one of this machine, `ray://host:10001` a distant one; None joins
            the cluster that `RAY_ADDRESS` names or begins one on this machine.
        cpus: cores for each run, fractions allowed.
        gpus: graphics cards for each run; 0.5 puts two runs on one card.
        retries: how often Ray starts a run again whose worker or node is gone.
    """

    def __init__(self, address: str | None = None, *, cpus: float = 1.0, gpus: float = 0.0, retries: int = 5) -> None:
        self.address = address
        self.cpus = check_number("cpus", cpus, low=0, low_open=True)
        self.gpus = check_number("gpus", gpus, low=0)
        self.retries = retries

    @override
    def run(self, jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
        ray = _ray()
        begun = not ray.is_initialized()
        if begun:
            _begin(ray, self.address)
        try:
            return self._run(ray, jobs, on_wait)
        finally:
            if begun:
                ray.shutdown()

    def _run(self, ray: Any, jobs: Sequence[Job], on_wait: Callable[[], None]) -> list[Outcome]:
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_retries": self.retries, "retry_exceptions": False}
        remote = ray.remote(_attempt_on_node).options(**options)
        threads = max(int(self.cpus), 1)
        queue = Queue([_absolute(job) for job in jobs])
        at_work: dict[Any, Job] = {}
        with stop_request() as stop:
            while not queue.finished and not stop.made:
                while (job := queue.next()) is not None:
                    at_work[remote.remote(job, threads)] = job
                ready, _ = ray.wait(list(at_work), timeout=POLL) if at_work else ([], [])
                for reference in ready:
                    _settle(ray, reference, at_work.pop(reference), queue)
                on_wait()
            if stop.made:
                for reference in at_work:
                    ray.cancel(reference, force=False)  # an interrupt in the worker: the run writes its checkpoint
                ray.wait(list(at_work), num_returns=len(at_work), timeout=60)
        if not queue.finished:
            raise Interrupted
        given = {str(job.folder.resolve()): job for job in jobs}
        return [Outcome(given[str(o.job.folder)], o.error, o.state) for o in queue.outcomes()]


def _settle(ray: Any, reference: Any, job: Job, queue: Queue) -> None:
    try:
        outcome: Outcome = ray.get(reference)
    except ray.exceptions.RayError as error:
        queue.died(job, f"its worker is gone ({type(error).__name__})")
    else:
        queue.settle(outcome)


def _attempt_on_node(job: Job, threads: int) -> Outcome:
    import torch

    torch.set_num_threads(threads)
    return attempt(job)


def _absolute(job: Job) -> Job:
    return replace(job, folder=job.folder.resolve())


def _ray() -> Any:
    """Ray, with its usage statistics off.

    Raises:
        GenwindowError: when it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise GenwindowError("--executor ray needs the extra: pip install 'genwindow[ray]'") from None
    return ray


def _begin(ray: Any, address: str | None) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    own = {} if address or os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
    try:
        ray.init(address=address, **quiet, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise GenwindowError(f"cannot join the Ray cluster {address!r}: {' '.join(str(error).split())}") from None
