"""The one exception of the library, and the checks that raise it.

Every message names the argument (or file), shows what was given, and says what is allowed, so that the reader can fix
the call without reading the source.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np


class GenwindowError(ValueError):
    """Something the caller can fix: an argument, a file, a setting. The message is one line."""


class NotFinite(GenwindowError):
    """Numbers are NaN or infinite: of a model, a sign that training has diverged."""


def raise_all(where: str, problems: Sequence[str]) -> None:
    """Raise one error that lists every problem found in `where`; do nothing when there is none."""
    if problems:
        raise GenwindowError(f"{where}: " + "; ".join(problems))


def check(ok: bool, message: str) -> None:
    """Raise `GenwindowError(message)` unless `ok`."""
    if not ok:
        raise GenwindowError(message)


def check_number(
    name: str,
    value: Any,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    low_open: bool = False,
    high_open: bool = False,
) -> float:
    """Return `value` as a finite float inside the interval, or raise."""
    left, right = "(" if low_open or low == -math.inf else "[", ")" if high_open or high == math.inf else "]"
    bounds = f"{left}{low:g}, {high:g}{right}"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise GenwindowError(f"{name} must be a number in {bounds}, got {value!r}") from None
    inside = math.isfinite(number) and low <= number <= high
    inside = inside and not (low_open and number == low) and not (high_open and number == high)
    check(inside, f"{name} must be a number in {bounds}, got {value!r}")
    return number


def check_integer(name: str, value: Any, *, low: int | None = None, high: int | None = None) -> int:
    """Return `value` as an int inside [low, high], or raise."""
    bounds = f" of at least {low}" if low is not None else ""
    bounds += f"{' and' if bounds else ' of'} at most {high}" if high is not None else ""
    try:
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)  # of NumPy and torch too
    except TypeError:
        number = None
    ok = number is not None and (low is None or number >= low) and (high is None or number <= high)
    if number is None or not ok:
        raise GenwindowError(f"{name} must be a whole number{bounds}, got {value!r}")
    return number


def check_choice(name: str, value: Any, allowed: Collection[Any]) -> Any:
    """Return `value` if it is one of `allowed`, or raise."""
    check(value in allowed, f"{name} must be one of {', '.join(map(str, allowed))}; got {value!r}")
    return value
