"""The measured phase plane: for each model size the training-set size n* below which it memorizes by a given time.

A cell is one run: a training-set size, a model size, how long it was trained and when it began to copy. tau_gen is read
once per model size, at the largest n: read per cell, the boundary would turn over, since a run that copies early has
its best samples early.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from genwindow.curve import Estimate, short
from genwindow.errors import check

BoundaryStatus = Literal["interp", "grid", "censored", "above_range", "below_range"]
Region = Literal["early", "generalization", "memorization", "regularized", "unknown"]


@dataclass(frozen=True)
class Cell:
    """One run in the plane.

    Attributes:
        n: training images.
        size: of the model, for example the width.
        last: training time at the last measurement.
        tau_gen: when its samples became good.
        tau_mem: when it began to copy.
    """

    n: int
    size: float
    last: float
    tau_gen: Estimate
    tau_mem: Estimate

    def copies_by(self, tau: float) -> bool | None:
        """Whether it copies by training time `tau`; None when the run does not say.

        A run that never surely copied does not say it beyond the last time at which it surely did not, its bound; where
        it has none, with few samples, the length of the run counts.
        """
        if self.tau_mem.value is not None:
            return self.tau_mem.value <= tau
        if self.tau_mem.status == "below_range" and self.tau_mem.high is not None:
            return True if tau >= self.tau_mem.high else None
        if self.tau_mem.status == "not_reached":
            return False if tau <= (self.tau_mem.low or self.last) * (1 + 1e-9) else None
        return None


@dataclass(frozen=True)
class BoundaryPoint:
    """n*: smaller training sets are memorized by the given time, larger ones are not.

    Attributes:
        size: of the model.
        tau: the training time.
        n: n*, or None when the runs give no value.
        low: largest n known to be memorized, or None.
        high: smallest n known not to be, or None.
        status: `interp` (interpolated in log n and log tau between two runs that both came to copy); `grid` (only known
            to lie between two neighbouring sizes; n is their geometric mean); `above_range` (all sizes are memorized);
            `below_range` (none is); `censored` (runs too short, or without a tau_mem, leave it open).
    """

    size: float
    tau: float
    n: float | None
    low: float | None
    high: float | None
    status: BoundaryStatus


@dataclass(frozen=True)
class Boundary:
    """n* for every model size at one time rule.

    Attributes:
        label: the rule, for example `8 tau_gen(W)`.
        points: ordered by model size.
    """

    label: str
    points: tuple[BoundaryPoint, ...]


@dataclass(frozen=True)
class Plane:
    """The measured plane.

    Attributes:
        cells: ordered by model size, then n.
        tau_gen: for each model size the estimate at its largest n that has one.
        boundaries: one for each multiple of tau_gen, and one at the longest time that all runs reached.
        longest: that time.
    """

    cells: tuple[Cell, ...]
    tau_gen: dict[float, Estimate]
    boundaries: tuple[Boundary, ...]
    longest: float

    def region(self, cell: Cell, tau: float) -> Region:
        """Where a cell lies at training time `tau`.

        `generalization` means: samples are good and it does not copy by `tau`, though perhaps later. `regularized`: nor
        does it by the end of its run. That a run much longer would not copy either is not shown by it.
        """
        copies, generated = cell.copies_by(tau), self.tau_gen[cell.size]
        if copies is None:
            return "unknown"
        if copies:
            return "memorization"
        if generated.value is None or tau < generated.value:
            return "early"
        return "regularized" if cell.copies_by(cell.last) is False else "generalization"


def measured_plane(cells: Sequence[Cell], multiples: Sequence[float] = (4.0, 8.0, 16.0)) -> Plane:
    """Read boundaries off runs on a grid of training-set and model sizes.

    Args:
        cells: one for each run; where a pair of sizes was run several times (seeds), their median run by tau_mem.
        multiples: times as multiples of tau_gen of each model size.

    Raises:
        GenwindowError: without cells.
    """
    check(len(cells) > 0, "the plane needs at least one run")
    chosen = tuple(_median(list(group)) for group in _grouped(cells))
    sizes = sorted({cell.size for cell in chosen})
    rows = {size: [cell for cell in chosen if cell.size == size] for size in sizes}
    generated = {size: _last_known(row) for size, row in rows.items()}
    longest = min(cell.last for cell in chosen)
    rules: list[tuple[str, dict[float, float]]] = []
    for multiple in multiples:
        times = {size: multiple * e.value for size, e in generated.items() if e.value is not None}
        rules.append((f"{multiple:g} tau_gen(W)", times))
    rules.append((f"tau = {short(longest)}", dict.fromkeys(sizes, longest)))
    boundaries = tuple(
        Boundary(label, tuple(boundary_point(rows[size], tau) for size, tau in times.items())) for label, times in rules
    )
    return Plane(chosen, generated, boundaries, longest)


def boundary_point(row: Sequence[Cell], tau: float) -> BoundaryPoint:
    """n* of one model size at one time.

    Args:
        row: cells of one model size, ordered by n.
        tau: the training time.
    """
    size = row[0].size
    known = [cell.copies_by(tau) for cell in row]
    copied = [cell for cell, copies in zip(row, known, strict=True) if copies]
    spared = [cell for cell, copies in zip(row, known, strict=True) if copies is False]
    low = float(max(cell.n for cell in copied)) if copied else None
    beyond = [cell for cell in spared if low is None or cell.n > low]
    high = float(min(cell.n for cell in beyond)) if beyond else None
    between = [c for c, k in zip(row, known, strict=True) if k is None and c.n > (low or 0) and c.n < (high or np.inf)]
    if between or (low is None and high is None):
        return BoundaryPoint(size, tau, None, low, high, "censored")
    if high is None:
        return BoundaryPoint(size, tau, None, low, None, "above_range")
    if low is None:
        return BoundaryPoint(size, tau, None, None, high, "below_range")
    one, other = (next(cell for cell in row if cell.n == n) for n in (low, high))
    if one.tau_mem.value is None or other.tau_mem.value is None or not one.tau_mem.value < other.tau_mem.value:
        return BoundaryPoint(size, tau, float(np.sqrt(low * high)), low, high, "grid")
    share = np.log(tau / one.tau_mem.value) / np.log(other.tau_mem.value / one.tau_mem.value)
    return BoundaryPoint(size, tau, float(low * (high / low) ** share), low, high, "interp")


def _grouped(cells: Sequence[Cell]) -> list[list[Cell]]:
    keys = sorted({(cell.size, cell.n) for cell in cells})
    return [[cell for cell in cells if (cell.size, cell.n) == key] for key in keys]


def _median(group: list[Cell]) -> Cell:
    """The middle run by tau_mem; runs that never copied count as latest."""

    def late(cell: Cell) -> float:
        if cell.tau_mem.value is not None:
            return cell.tau_mem.value
        return 0.0 if cell.tau_mem.status == "below_range" else np.inf

    return sorted(group, key=late)[(len(group) - 1) // 2]


def _last_known(row: Sequence[Cell]) -> Estimate:
    known = [cell.tau_gen for cell in row if cell.tau_gen.value is not None]
    return known[-1] if known else row[-1].tau_gen
