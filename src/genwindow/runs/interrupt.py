"""An interrupt that waits: Ctrl-C and SIGTERM ask a run to stop, and it stops between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import final


class Interrupted(KeyboardInterrupt):
    """The run was asked to stop, wrote its checkpoint, and can be resumed by the same command."""


@final
class StopRequest:
    """Whether somebody asked to stop."""

    def __init__(self) -> None:
        self.made = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Signal handler: the first signal asks, the second stops at once, losing the work since the checkpoint."""
        if self.made:
            raise KeyboardInterrupt
        self.made = True


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
