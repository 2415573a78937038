"""Panels: a figure in the form of the paper's, made of curves along training and of times against a size.

Each experiment says what stands in its panels; how they look is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from genwindow.curve import Curve, Estimate
from genwindow.report.canvas import log_axis, new_figure, note, percent_axis, size_axis, span, style
from genwindow.report.figures import band, estimate_bars, mark_cut
from genwindow.report.palette import COPY, GENERATE, INK, MUTED, WINDOW, ordered_colours

if TYPE_CHECKING:
    from genwindow.analysis import Plane, PowerLaw
    from genwindow.analysis.plane import Region


@dataclass(frozen=True)
class Line:
    """A curve along training.

    Attributes:
        label: what the legend says; empty says nothing.
        curve: the numbers.
        colour: `#rrggbb`.
        dashed: drawn dashed.
    """

    label: str
    curve: Curve
    colour: str
    dashed: bool = False


@dataclass(frozen=True)
class Times:
    """Training times of several runs against their size.

    Attributes:
        label: what the legend says.
        x: sizes.
        times: one for each size; without a value its bound is drawn as an arrow.
        colour: `#rrggbb`.
        marker: of matplotlib.
        fit: power law to draw as a line, or None.
    """

    label: str
    x: Sequence[float]
    times: Sequence[Estimate]
    colour: str
    marker: str = "o"
    fit: PowerLaw | None = None


@dataclass(frozen=True)
class Panel:
    """One pair of axes, with a logarithmic horizontal axis.

    Attributes:
        title: above it.
        x: label of the horizontal axis.
        y: label of the vertical axis.
        content: curves, or times against sizes.
        shares: the vertical axis is a share from 0 to `top`; else it is logarithmic.
        top: of a share axis; None lets the data choose among `TOPS`.
        guide: slope of a dotted line to compare with, or None.
    """

    title: str
    x: str
    y: str
    content: Sequence[Line | Times]
    shares: bool = False
    guide: float | None = None
    top: float | None = 1.0


TOPS = (0.1, 0.2, 0.3, 0.5, 1.0)
"""Ends of a share axis; the data stay below 95 % of it."""

REACH = 3.0
"""A vertical axis of times is made longer for ends of intervals up to this factor away; others are cut by an arrow."""


def panels_figure(panels: Sequence[Panel], columns: int = 2) -> Figure:
    """Panels in rows of `columns`."""
    rows = -(-len(panels) // columns)
    with style():
        figure = new_figure(4.5 * columns, 3.6 * rows)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, panel in zip(axes, panels, strict=False):
            _draw(place, panel)
        for place in axes[len(panels) :]:
            place.remove()
        return figure


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_title(panel.title, fontsize=11)
    x: list[NDArray[np.float64]] = []
    y: list[NDArray[np.float64]] = []
    bars: list[float] = []
    for item in panel.content:
        if isinstance(item, Line):
            if (item.curve.tau > 0).any():
                ls = "--" if item.dashed else "-"
                band(axes, item.curve, item.colour, label=item.label or None, marker="o", ls=ls)
                x.append(item.curve.tau)
                y.append(item.curve.value)
        else:
            known = draw_times(axes, item)
            if len(known):
                x.append(np.array(item.x, dtype=np.float64))
                y.append(known)
                bars += [end for time in item.times if time.value is not None for end in (time.low, time.high) if end]
    if not x:
        note(axes, "nothing measured yet")
        return
    sizes = sorted({int(size) for item in panel.content if isinstance(item, Times) for size in item.x})
    if sizes:
        size_axis(axes.xaxis, sizes)
    else:
        log_axis(axes.xaxis, *span(x), pad=1.15)
    if panel.shares:
        highest = max(float(v.max()) for v in y)
        percent_axis(axes, panel.top or next((top for top in TOPS if highest <= 0.95 * top), 1.0))
    elif all((v > 0).any() for v in y):
        low, high = span(y)
        near = np.array([end for end in bars if low / REACH <= end <= high * REACH])
        log_axis(axes.yaxis, *span([*y, near]), pad=1.4)
        for item in panel.content:
            if isinstance(item, Times):
                for at, estimate in zip(item.x, item.times, strict=True):
                    mark_cut(axes, at, estimate, item.colour)
    if panel.guide is not None:
        _draw_guide(axes, panel, x, y)
    axes.set(xlabel=panel.x, ylabel=panel.y)
    handles, names = axes.get_legend_handles_labels()
    if handles:
        beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
        axes.legend(handles, names, fontsize=8.5, labelspacing=0.25, **(beside if len(names) > 5 else {"loc": "best"}))


def draw_times(axes: Axes, item: Times) -> NDArray[np.float64]:
    """Draw times against sizes; returns the values drawn, and the ends of the arrows."""
    label: str | None = item.label
    drawn: list[float] = []
    for at, estimate in zip(item.x, item.times, strict=True):
        look: dict[str, Any] = {"fmt": item.marker, "color": item.colour, "ms": 6, "zorder": 3}
        if estimate.value is not None:
            axes.errorbar(at, estimate.value, yerr=estimate_bars(estimate), elinewidth=1.4, label=label, **look)
            drawn.append(estimate.value)
            label = None
        elif estimate.status in ("not_reached", "below_range"):
            up = estimate.status == "not_reached"
            bound = estimate.low if up else estimate.high
            if bound:
                length = bound * (0.45 if up else 0.3)
                axes.errorbar(at, bound, yerr=length, lolims=up, uplims=not up, mfc="white", mew=1.5, **look)
                drawn.append(bound + length if up else bound - length)
    if drawn and label is not None:  # arrows only
        axes.plot([], [], marker=item.marker, ls="", color=item.colour, mfc="white", mew=1.5, ms=6, label=label)
    if item.fit is not None and item.fit.exponent.value is not None:
        ends = np.array([item.fit.n.min(), item.fit.n.max()])
        axes.plot(ends, item.fit.predict(ends), color=item.colour, lw=1.5, zorder=2)
    return np.array(drawn)


def _draw_guide(axes: Axes, panel: Panel, x: list[NDArray[np.float64]], y: list[NDArray[np.float64]]) -> None:
    assert panel.guide is not None
    low, high = span(x)
    middle_x = np.sqrt(low * high)
    middle_y = np.exp(np.mean([np.log(v[v > 0]).mean() for v in y if (v > 0).any()]))
    ends = np.array([low, high])
    line = middle_y * (ends / middle_x) ** panel.guide
    axes.plot(ends, line, color=MUTED, lw=1.1, ls=":", label=f"slope {panel.guide:g}", zorder=1)


REGIONS: dict[Region, tuple[str, str, str]] = {
    "memorization": (COPY, "D", "copies"),
    "generalization": (GENERATE, "o", "generates, no copies yet"),
    "regularized": (WINDOW, "s", "never copied"),
    "early": (MUTED, "v", "not learned yet"),
    "unknown": (MUTED, "x", "not known"),
}
FILLED: dict[str, Literal["full", "none"]] = {"interp": "full", "grid": "none"}


def plane_figure(plane: Plane, multiple: float, size_name: str = "width W") -> Figure:
    """The measured plane: what every run does at `multiple` tau_gen(W), and the boundaries n* at all times.

    Args:
        plane: measured cells and boundaries.
        multiple: of tau_gen of each model size, at which the regions of the left panel are taken.
        size_name: what the model size is.
    """
    with style():
        figure = new_figure(9.2, 5.2)
        left, right = figure.subplots(1, 2)
        cells = _draw_cells(left, plane, multiple)
        sizes = sorted({int(cell.size) for cell in plane.cells})
        n = sorted({cell.n for cell in plane.cells})
        for axes, title in ((left, f"at τ = {multiple:g} τ_gen(W)"), (right, "boundary n* at several times")):
            size_axis(axes.xaxis, n)
            size_axis(axes.yaxis, sizes)
            axes.set(xlim=(n[0] / 1.6, n[-1] * 1.6), ylim=(sizes[0] / 1.6, sizes[-1] * 1.6))
            axes.set(xlabel="training images n")
            axes.set_title(title, fontsize=11)
        left.set_ylabel(size_name)
        figure.legend(handles=cells, loc="outside lower left", ncols=2, fontsize=9)
        figure.legend(handles=_draw_boundaries(right, plane), loc="outside lower right", ncols=2, fontsize=9)
        return figure


def _draw_cells(axes: Axes, plane: Plane, multiple: float) -> list[Line2D]:
    """Draw what every run does; returns what the legend shows."""
    seen: dict[str, None] = {}
    for cell in plane.cells:
        generated = plane.tau_gen[cell.size].value
        region = "unknown" if generated is None else plane.region(cell, multiple * generated)
        colour, marker, _ = REGIONS[region]
        axes.plot(cell.n, cell.size, marker=marker, color=colour, ms=11, ls="", zorder=3)
        seen[region] = None
    return [
        Line2D([], [], color=REGIONS[r][0], marker=REGIONS[r][1], ls="", ms=8, label=REGIONS[r][2])
        for r in REGIONS
        if r in seen
    ]


def _draw_boundaries(axes: Axes, plane: Plane) -> list[Line2D]:
    """Draw the boundaries; returns what the legend shows."""
    handles: list[Line2D] = []
    colours = ordered_colours(len(plane.boundaries), "plasma", 0.05, 0.75)
    edge = {"above_range": max(c.n for c in plane.cells) * 1.3, "below_range": min(c.n for c in plane.cells) / 1.3}
    for boundary, colour in zip(plane.boundaries, colours, strict=True):
        line = [(p.n, p.size) for p in boundary.points if p.n is not None]
        if line:
            axes.plot(*zip(*line, strict=True), color=colour, lw=1.6)
        for point in boundary.points:
            look: dict[str, Any] = {"color": colour, "ls": "", "zorder": 3}
            if point.n is not None:
                axes.plot(point.n, point.size, marker="o", ms=6.5, fillstyle=FILLED[point.status], mew=1.5, **look)
            elif point.status in edge:
                marker = ">" if point.status == "above_range" else "<"
                axes.plot(edge[point.status], point.size, marker=marker, ms=7, mfc=to_rgba(colour, 0.3), **look)
        handles.append(
            Line2D([], [], color=colour, label=boundary.label.replace("tau_gen", "τ_gen").replace("tau", "τ"))
        )
    marks = (("o", "full", "interpolated"), ("o", "none", "between two sizes"), (">", "full", "beyond the sizes"))
    for marker, fill, label in marks:
        handles.append(Line2D([], [], color=INK, marker=marker, fillstyle=fill, ls="", ms=6, label=label))  # type: ignore[arg-type]
    return handles
