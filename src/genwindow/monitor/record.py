"""What measuring gives: points, gathered into curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from genwindow.analysis.outlook import Look
from genwindow.curve import Curve, Estimate
from genwindow.errors import NotFinite
from genwindow.metrics import Memorization
from genwindow.monitor.verdict import Verdict


class Slice(Protocol):
    """One value at each of several diffusion times: what a probe returns, for example a `DenoisingLoss`."""

    @property
    def t(self) -> NDArray[np.float64]:
        """(T,) diffusion times."""
        ...

    @property
    def value(self) -> NDArray[np.float64]:
        """(T,) values."""
        ...

    @property
    def low(self) -> NDArray[np.float64]:
        """(T,) lower ends."""
        ...

    @property
    def high(self) -> NDArray[np.float64]:
        """(T,) upper ends."""
        ...


@dataclass(frozen=True)
class Point:
    """One measured value: the row of a curve."""

    step: int
    samples: int
    name: str
    t: float | None
    value: float
    low: float
    high: float

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Point:
        """From its fields by name; numbers must be numbers."""
        t = data["t"]
        value, low, high = (float(data[name]) for name in ("value", "low", "high"))
        name, t = str(data["name"]), t if t is None else float(t)
        return cls(int(data["step"]), int(data["samples"]), name, t, value, low, high)


@dataclass(frozen=True, eq=False)
class Seen:
    """What a measuring time has found, before anything is concluded from it."""

    looks: tuple[Look, ...]
    points: Sequence[Point] = ()
    generated: Tensor | None = None
    memorization: Memorization | None = None
    sign: bool = False
    doubt: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Measurement:
    """What one measuring time gave.

    Attributes:
        step: gradient steps made.
        points: the measured values.
        generated: (N, ...) the generated images, or None without a sampler.
        memorization: nearest training images and ratios of `generated`, or None.
        best: whether this is the snapshot to keep: the best quality so far, before copying shows.
        verdict: where in its window the run is.
        first_stop: whether this is the first time that the rule says to stop.
    """

    step: int
    points: tuple[Point, ...]
    generated: Tensor | None
    memorization: Memorization | None
    best: bool
    verdict: Verdict
    first_stop: bool = False


@dataclass(frozen=True)
class Best:
    """The snapshot to keep.

    Attributes:
        step: when it was taken.
        frechet: its Frechet distance to held-out images.
        why: in words.
    """

    step: int
    frechet: float
    why: str


def point_of(step: int, samples: int, name: str, estimate: Estimate) -> Point:
    """A row of a curve; an estimate without interval stands for itself."""
    assert estimate.value is not None
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return Point(step, samples, name, None, estimate.value, low, high)


def points_of(step: int, samples: int, name: str, found: Slice) -> list[Point]:
    """The rows of a slice, one for each diffusion time.

    Raises:
        NotFinite: when one is NaN or infinite.
    """
    rows = list(zip(found.t, found.value, found.low, found.high, strict=True))
    if not all(math.isfinite(number) for row in rows for number in row[1:]):
        raise NotFinite(f"{name} is NaN or infinite")
    return [Point(step, samples, name, None if t is None else float(t), *map(float, rest)) for t, *rest in rows]


def curves_of(points: Sequence[Point]) -> tuple[Curve, ...]:
    """Gather points into curves, one for each name and diffusion time."""
    keys = list(dict.fromkeys((p.name, p.t) for p in points))
    made = []
    for name, t in keys:
        rows = [p for p in points if (p.name, p.t) == (name, t)]
        steps = np.array([p.step for p in rows])
        columns = ("value", "low", "high", "samples")
        value, low, high, samples = (np.array([getattr(p, c) for p in rows]) for c in columns)
        made.append(Curve(name, steps.astype(float), value, low, high, steps, samples, t=t))
    return tuple(made)
