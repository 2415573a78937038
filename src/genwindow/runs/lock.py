"""A lock on a folder: only one process at a time works in it. A process that is killed holds no lock any more."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from genwindow.errors import GenwindowError

LOCK = ".lock"
"""Name of the file that is locked; it stays in the folder."""

PATIENCE = 0.5
"""Seconds to wait for a lock, since whoever asks `is_locked` holds it for a moment."""


class Busy(GenwindowError):
    """Another process is working in this folder."""


@contextmanager
def lock_folder(folder: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Inside the block no other process is at work in the folder, which is made where it is missing.

    Args:
        folder: the folder.
        patience: seconds to wait for another process; infinity waits until it has ended.

    Raises:
        Busy: when another one is at work for longer.
        GenwindowError: when the folder cannot be written or locked.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK).open("w")
    except OSError as error:
        raise GenwindowError(f"cannot write to {folder}: {error.strerror}") from None
    with handle:
        try:
            alone = _acquire(handle, fcntl.LOCK_EX, patience)
        except OSError as error:
            raise GenwindowError(f"cannot lock {folder}: {error.strerror}") from None
        if not alone:
            raise Busy(f"another process is working on {folder}")
        yield


def is_locked(folder: Path) -> bool:
    """Whether a process is at work in the folder now; not where there is no lock, or can be none."""
    try:
        with (folder / LOCK).open() as handle:
            return not _acquire(handle, fcntl.LOCK_SH, 0.0)
    except OSError:
        return False


def _acquire(handle: IO[str], kind: int, patience: float) -> bool:
    """Lock an open file, if it can be had in time."""
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
