"""A live page: a run's report.html, renewed as the run goes, at a small share of its time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import final

from genwindow.experiments.comparison import compare
from genwindow.report import write_page
from genwindow.runs import RunFolder, RunResult

PATIENCE = 30.0
"""Between two renewals at least so many times as long passes as one takes, and as many seconds."""


@final
class LivePage:
    """The page of one run.

    Args:
        folder: of the run.
        title: heading of the page.
    """

    def __init__(self, folder: Path, title: str) -> None:
        self._folder, self._title = folder, title
        self._next = time.monotonic() + PATIENCE
        self._drawn = 0.0

    def renew(self) -> None:
        """Draw the page again if something new was measured and it is time; else cost next to nothing."""
        now = time.monotonic()
        if now < self._next or int(os.environ.get("RANK", "0")) > 0:
            return
        curves = self._folder / "curves.csv"
        changed = curves.stat().st_mtime if curves.exists() else 0.0
        if changed > self._drawn:
            self.write(RunFolder(self._folder).load())
            self._drawn = changed
        took = time.monotonic() - now
        self._next = time.monotonic() + PATIENCE * max(took, 1.0)

    def write(self, result: RunResult) -> Path:
        """Draw the page of what is known; returns its path."""
        page = self._folder / "report.html"
        write_page(page, compare([result]).page(self._title))
        return page
