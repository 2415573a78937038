"""A progress bar with time left, on stderr, that appears with the first news and not before an error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import final

from tqdm import tqdm


@final
class ProgressBar:
    """Use as a context manager; `show` as often as you like.

    Args:
        what: what goes on.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def show(self, done: float, note: str = "") -> None:
        """Draw a share of the work; what was done before the first call does not count for the speed."""
        if self._bar is None:
            self._bar = tqdm(
                desc=self._what, total=1.0, initial=done, file=sys.stderr, dynamic_ncols=True, smoothing=0.1,
                bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}",
                mininterval=0.5 if sys.stderr.isatty() else 15,
            )  # fmt: skip
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
