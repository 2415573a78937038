"""Measuring times: steps spaced evenly in log training time, where the two timescales live."""

from __future__ import annotations

import math

from genwindow.errors import check_integer, check_number

FIRST = 100
"""The first measuring time, in steps, unless told otherwise."""

PER_OCTAVE = 3.0
"""Measuring times per doubling of the step, unless told otherwise."""


def next_measuring_time(step: int, first: int = FIRST, per_octave: float = PER_OCTAVE) -> int:
    """The first measuring time after `step`: round(first * 2**(i / per_octave)) for i = 0, 1, 2, ...

    It is a function of its arguments alone, so a resumed run measures at the same steps as an unbroken one.
    """
    check_integer("first", first, low=1)
    check_number("per_octave", per_octave, low=0, low_open=True)
    if step < first:
        return first
    i = max(math.floor(per_octave * math.log2(step / first)) - 1, 0)
    while (at := round(first * 2 ** (i / per_octave))) <= step:
        i += 1
    return at
