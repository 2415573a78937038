"""Enough: when a run may end before its last step, because it was made to answer one question.

A pilot of a forecast is needed until it has begun to copy and no longer. A run that ends so keeps its checkpoint: with
another answer to "enough?", or none, the same run goes on where it stopped, bit for bit as if it had never stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genwindow.curve import Estimate
from genwindow.errors import check_number


@dataclass(frozen=True)
class Enough:
    """What ends a run early.

    Attributes:
        event: the estimate that ends it, once it has a value and both ends of its interval (or lies before the first
            measuring time); None: no estimate does.
        seconds: of training and measuring, all sessions of the run together, after which it ends in any case; None: no
            limit.
    """

    event: str | None = "tau_mem"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.seconds is not None:
            check_number("seconds", self.seconds, low=0)

    def reason(self, seconds: float, estimates: Mapping[str, Estimate] | None = None) -> str:
        """Why the run may end now, or an empty text.

        Args:
            seconds: spent so far.
            estimates: when they are new; None leaves the event out.
        """
        found = None if self.event is None or estimates is None else estimates.get(self.event)
        if found is not None:
            both = found.low is not None and found.high is not None
            if found.status == "below_range" or (found.found and both):
                return f"{self.event} is known"
        return "its time is up" if self.seconds is not None and seconds >= self.seconds else ""
