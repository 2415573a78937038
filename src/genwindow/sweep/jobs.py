"""A job: one run to be made in its folder. An attempt works on one or several; an outcome says how that ended."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from genwindow.errors import GenwindowError
from genwindow.files import to_json_text, write_atomically
from genwindow.runs import (
    CHECKPOINT_SECONDS,
    Busy,
    Enough,
    Interrupted,
    RunConfig,
    RunFolder,
    execute,
    execute_together,
)


@dataclass(frozen=True)
class Job:
    """One run to be made.

    Attributes:
        config: its settings.
        folder: its run folder.
        checkpoint_seconds: how much work a kill can cost at most.
        enough: what ends the run before its last step, if anything.
    """

    config: RunConfig
    folder: Path
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    enough: Enough | None = None


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        job: what was attempted.
        error: empty when the run is done or has told enough, else one line that says why not.
        state: `done`; `failed` (it would fail again, or did so too often); `interrupted` (stopped from outside, with a
            checkpoint); `busy` (another process is working on it).
    """

    job: Job
    error: str
    state: Literal["done", "failed", "interrupted", "busy"] = "done"


def attempt(job: Job, on_wait: Callable[[], None] = lambda: None) -> Outcome:
    """Begin or resume one run in this process. A failure is kept for `sweep status`; success forgets an older one."""
    try:
        execute(
            job.config, job.folder, on_progress=lambda _: on_wait(),
            checkpoint_seconds=job.checkpoint_seconds, enough=job.enough,
        )  # fmt: skip
    except Interrupted:
        return Outcome(job, "interrupted", "interrupted")
    except Exception as error:  # one broken run must not end the others
        return _outcome(job, error)
    return _outcome(job, None)


def attempt_together(jobs: Sequence[Job], on_wait: Callable[[], None] = lambda: None) -> list[Outcome]:
    """Begin or resume several runs in this process, in one batched training where that is possible.

    Where it breaks down, for want of memory for example, they are attempted one after another.
    """
    if len(jobs) > 1:
        try:
            ends = execute_together(
                [(job.config, job.folder) for job in jobs],
                on_progress=lambda _: on_wait(),
                checkpoint_seconds=min(job.checkpoint_seconds for job in jobs),
            )
            return [_outcome(job, end) for job, end in zip(jobs, ends, strict=True)]
        except Interrupted:
            return [Outcome(job, "interrupted", "interrupted") for job in jobs]
        except Exception:
            logging.getLogger(__name__).warning("%d runs cannot train together", len(jobs), exc_info=True)
    outcomes: list[Outcome] = []
    for job in jobs:
        stopped = any(outcome.state == "interrupted" for outcome in outcomes)
        outcomes.append(Outcome(job, "interrupted", "interrupted") if stopped else attempt(job, on_wait))
    return outcomes


def _outcome(job: Job, error: Exception | None) -> Outcome:
    if error is None:
        forget_failure(job)
        return Outcome(job, "")
    if isinstance(error, Busy):
        return Outcome(job, str(error), "busy")
    if isinstance(error, GenwindowError):
        return _failed(job, str(error))
    message = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return _failed(job, message, "".join(traceback.format_exception(error)))


def _failed(job: Job, message: str, detail: str = "") -> Outcome:
    keep_failure(job, message, detail)
    return Outcome(job, message, "failed")


def failure_file(job: Job) -> Path:
    """Where the reason is kept why a run has no result: beside the run folders, since a run may have none."""
    return job.folder.parent / "failures" / f"{job.folder.name}.json"


def keep_failure(job: Job, message: str, detail: str = "") -> None:
    """Remember why a run ended without a result; where that cannot be written, the outcome alone tells it."""
    try:
        write_atomically(failure_file(job), to_json_text({"message": message, "detail": detail}))
    except GenwindowError:
        return


def forget_failure(job: Job) -> None:
    """Let a run be tried again: it continues from its checkpoint."""
    failure_file(job).unlink(missing_ok=True)


def failure(job: Job) -> str:
    """The kept reason, or what the run's own status file says; empty when it has not failed."""
    file = failure_file(job)
    try:
        return str(json.loads(file.read_text())["message"])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError):
        return f"unknown: {file} is damaged"
    try:
        status = RunFolder(job.folder).read("status")
    except GenwindowError as error:
        return str(error)
    return str(status.get("message", "")) if status.get("state") == "failed" else ""
