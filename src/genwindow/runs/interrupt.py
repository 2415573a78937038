"""An interrupt that waits: Ctrl-C and SIGTERM ask a run to stop, and it stops between two steps."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final

PATIENCE = 2.0


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, wrote its checkpoint, and can be resumed by the same command."""


@final
class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self._at: float | None = None

    @property
    def made(self) -> bool:
        """Whether anybody did."""
        return self._at is not None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: the first signal asks; a later one stops at once, losing the work since the checkpoint.

        A second signal within two seconds is taken for the same request: a terminal tells every process of a sweep,
        and then the driver tells its workers.
        """
        now = time.monotonic()
        if self._at is not None and now - self._at > PATIENCE:
            raise KeyboardInterrupt
        self._at = now if self._at is None else self._at


@contextmanager
def stop_request() -> Iterator[StopRequest]:
    """Inside the block SIGINT and SIGTERM only set a flag. Outside the main thread signals are left alone."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    kept = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
