"""The two types that theory and experiment hand to each other: `Curve` and `Estimate`.

Both are frozen, check themselves when built, and go to and from plain JSON (no NaN, no infinity: an open end is null).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.errors import GenwindowError, check, raise_all

Status = Literal["found", "not_reached", "below_range", "ill_posed"]


def _column(name: str, value: ArrayLike, length: int | None, integer: bool = False) -> NDArray[Any]:
    array = np.array(value, dtype=np.float64)  # always a copy: a frozen object must own its numbers
    check(array.ndim == 1, f"Curve.{name} must be one-dimensional, got shape {array.shape}")
    check(length is None or len(array) == length, f"Curve.{name} has {len(array)} entries, tau has {length}")
    check(bool(np.isfinite(array).all()), f"Curve.{name} must be finite, got {value!r}")
    if integer:
        check(bool((array == np.round(array)).all()), f"Curve.{name} must hold whole numbers, got {value!r}")
        array = array.astype(np.int64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Curve:
    """One quantity along training.

    Attributes:
        name: what is measured, for example `f_mem`, `frechet`, `train_loss`.
        tau: (k,) training time, strictly increasing and not negative. For measured runs this is the number of
            gradient steps; for theory it is the dimensionless time of the equations.
        value: (k,) the measured values.
        low: (k,) lower end of the interval of each value, or None when no interval is known.
        high: (k,) upper end, given exactly when `low` is.
        step: (k,) gradient steps, or None for curves that come from theory.
        samples: (k,) training samples seen, or None.
        unit: unit of `value`; empty for pure numbers.
        t: the fixed diffusion time at which the quantity was measured, or None when it has none.
    """

    name: str
    tau: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    step: NDArray[np.int64] | None = None
    samples: NDArray[np.int64] | None = None
    unit: str = ""
    t: float | None = None

    def __post_init__(self) -> None:
        check(bool(self.name), "Curve.name must not be empty")
        check((self.low is None) == (self.high is None), f"Curve {self.name}: give both low and high, or neither")
        tau = _column("tau", self.tau, None)
        object.__setattr__(self, "tau", tau)
        for column in ("value", "low", "high", "step", "samples"):
            given = getattr(self, column)
            if given is not None:
                object.__setattr__(self, column, _column(column, given, len(tau), column in ("step", "samples")))
        check(len(tau) == 0 or tau[0] >= 0, f"Curve {self.name}: tau must not be negative, got {tau[:1]}")
        check(bool((np.diff(tau) > 0).all()), f"Curve {self.name}: tau must be strictly increasing, got {tau}")
        if self.low is not None and self.high is not None:
            ordered = (self.low <= self.value) & (self.value <= self.high)
            check(bool(ordered.all()), f"Curve {self.name}: need low <= value <= high at every point")

    def __len__(self) -> int:
        return len(self.tau)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Curve) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain lists, numbers and strings."""
        columns = {c: getattr(self, c) for c in ("tau", "value", "low", "high", "step", "samples")}
        plain = {c: None if v is None else v.tolist() for c, v in columns.items()}
        return {"name": self.name, "unit": self.unit, "t": self.t, **plain}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Curve:
        """The inverse of `to_json`.

        Raises:
            GenwindowError: when a required key is missing or a key is unknown.
        """
        known = {"name", "unit", "t", "tau", "value", "low", "high", "step", "samples"}
        missing = {"name", "tau", "value"} - set(data)
        raise_all("Curve from JSON", [f"{k} is missing" for k in sorted(missing)])
        raise_all("Curve from JSON", [f"unknown key {k!r}" for k in sorted(set(data) - known)])
        return cls(**data)


@dataclass(frozen=True)
class Estimate:
    """A number read from data, with the interval it lies in, or the reason why there is none.

    Attributes:
        value: the estimate; None unless `status` is `found`.
        low: lower end of the 95 % interval (90 % for forecasts and outlooks, as their texts say). With `not_reached` it
            is the lower bound that the data do give.
        high: upper end; None means that the data give no upper end. With `below_range` it is the upper bound.
        status: `found`; `not_reached` (larger than everything measured); `below_range` (already passed at the first
            measurement); `ill_posed` (the question has no answer for these data).
        method: how it was read, for example `threshold` or `loss_split`.
        text: one sentence for a person.
    """

    value: float | None
    low: float | None
    high: float | None
    status: Status
    method: str
    text: str = ""

    def __post_init__(self) -> None:
        if self.status not in get_args(Status):
            raise GenwindowError(f"Estimate.status must be one of {', '.join(get_args(Status))}; got {self.status!r}")
        for field in ("value", "low", "high"):
            number = getattr(self, field)
            if number is not None:
                object.__setattr__(self, field, float(number))
                check(math.isfinite(number), f"Estimate.{field} must be finite or None, got {number!r}")
        found = self.status == "found"
        check(found == (self.value is not None), f"Estimate: status {self.status!r} does not go with {self.value!r}")
        check(self.status != "not_reached" or self.low is not None, "Estimate: not_reached needs its lower bound `low`")
        check(self.status != "below_range" or self.high is not None, "Estimate: below_range needs its bound `high`")
        ends = [v for v in (self.low, self.value, self.high) if v is not None]
        check(ends == sorted(ends), f"Estimate: need low <= value <= high, got {self.low}, {self.value}, {self.high}")

    @property
    def found(self) -> bool:
        """Whether there is a value."""
        return self.status == "found"

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain numbers and strings."""
        keys = ("value", "low", "high", "status", "method", "text")
        return {k: getattr(self, k) for k in keys}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Estimate:
        """The inverse of `to_json`.

        Raises:
            GenwindowError: when a required key is missing or a key is unknown.
        """
        known = ("value", "low", "high", "status", "method", "text")
        raise_all("Estimate from JSON", [f"{k} is missing" for k in known[:5] if k not in data])
        raise_all("Estimate from JSON", [f"unknown key {k!r}" for k in sorted(set(data) - set(known))])
        return cls(**data)

    def __str__(self) -> str:
        """`2.1k [1.9k, 2.4k]`, `> 8k`, `not reached` where no bound is known, `< 100` or `-`."""
        if self.status == "not_reached":
            return f"> {short(self.low)}" if self.low else "not reached"
        if self.status == "below_range":
            return f"< {short(self.high)}"
        if self.value is None:
            return "-"
        if self.low is None and self.high is None:
            return short(self.value)
        return f"{short(self.value)} [{short(self.low)}, {short(self.high)}]"


def short(number: float | None) -> str:
    """Three significant digits, thousands as k and millions as M: `12.3k`. An open end prints as `inf`."""
    if number is None:
        return "inf"
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(number) >= unit * 0.9995:
            return f"{float(f'{number / unit:.3g}'):g}{letter}"
    return f"{number:.3g}"


def per_cent(share: float) -> str:
    """A share in per cent with two significant digits, never as a power of ten: `4.8`, `100`, `0.052`."""
    return f"{float(f'{100 * share:.2g}'):g}"
