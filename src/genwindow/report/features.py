"""The figure of trained random features: losses and times by gradient descent and Adam, theory on the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from genwindow.curve import Curve, Estimate
from genwindow.report.canvas import log_axis, new_figure, size_axis, span, style
from genwindow.report.palette import COPY, GENERATE, INK, ordered_colours
from genwindow.report.panels import Times, draw_times

Losses = tuple[Curve, Curve]


@dataclass(frozen=True)
class FeaturesAtSize:
    """One number of samples per dimension.

    Attributes:
        psi_n: samples per dimension.
        losses: training and test loss along training for `theory`, `closed`, `descent` and `adam`, of one draw.
        tau_gen: for each way, one estimate of every draw.
        tau_mem: the same.
    """

    psi_n: float
    losses: Mapping[str, Losses]
    tau_gen: Mapping[str, Sequence[Estimate]]
    tau_mem: Mapping[str, Sequence[Estimate]]


def features_figure(sizes: Sequence[FeaturesAtSize]) -> Figure:
    """Losses above, times against psi_n below; gradient descent with the theory at the left, Adam at the right."""
    colours = ordered_colours(len(sizes))
    with style():
        figure = new_figure(9.2, 7.6)
        (left, right), (below_left, below_right) = figure.subplots(2, 2)
        drawn: list[NDArray[np.float64]] = []
        for size, colour in zip(sizes, colours, strict=True):
            _theory(left, size.losses["theory"], colour)
            for axes, way in ((left, "descent"), (right, "adam")):
                _trained(axes, size.losses[way], colour)
            drawn += [curve.value for way in size.losses.values() for curve in way]
        _limits(left, [s.losses["theory"][1].tau for s in sizes], drawn)
        _limits(right, [s.losses["adam"][1].tau for s in sizes], drawn)
        left.set(xlabel="training time τ", ylabel="denoising loss")
        left.set_title("gradient descent: theory (lines), trained (marks)", fontsize=11)
        right.set(xlabel="steps")
        right.set_title("Adam", fontsize=11)
        handles = [Line2D([], [], color=c, label=f"ψ_n = {s.psi_n:g}") for s, c in zip(sizes, colours, strict=True)]
        left.legend(handles=handles, loc="lower left", fontsize=9)
        looks = (("-", INK, "test loss"), ("--", "white", "training loss"))
        marks = [Line2D([], [], color=INK, marker="o", ls=ls, mfc=face, ms=4, label=name) for ls, face, name in looks]
        right.legend(handles=marks, loc="lower left", fontsize=9)
        _times(below_left, sizes, "descent", "training time τ", theory=True)
        _times(below_right, sizes, "adam", "steps", theory=False)
        return figure


def _theory(axes: Axes, losses: Losses, colour: str) -> None:
    for curve, dashes in zip(losses, ("--", "-"), strict=True):
        axes.plot(curve.tau, curve.value, color=colour, ls=dashes, lw=1.4)


def _trained(axes: Axes, losses: Losses, colour: str) -> None:
    for curve, face in zip(losses, ("white", colour), strict=True):
        axes.plot(curve.tau, curve.value, color=colour, marker="o", ms=3.4, mfc=face, mew=0.9, ls="", zorder=3)


def _limits(axes: Axes, times: Sequence[NDArray[np.float64]], values: Sequence[NDArray[np.float64]]) -> None:
    log_axis(axes.xaxis, *span(times))
    top = min(1.5, max(float(v.max()) for v in values))
    axes.set_ylim(min(float(v.min()) for v in values) - 0.02, top + 0.02)


def _times(axes: Axes, sizes: Sequence[FeaturesAtSize], way: str, clock: str, *, theory: bool) -> None:
    """Times of every draw as marks; the theory's as lines, the closed form's as crosses."""
    drawn: list[NDArray[np.float64]] = []
    psi_n = [size.psi_n for size in sizes]
    for name, colour, marker in (("tau_gen", GENERATE, "o"), ("tau_mem", COPY, "D")):
        estimates = [(s.psi_n, e) for s in sizes for e in getattr(s, name)[way]]
        label = f"{name.replace('tau', 'τ')}, trained"
        drawn.append(
            draw_times(axes, Times(label, [n for n, _ in estimates], [e for _, e in estimates], colour, marker))
        )
        if theory:
            looks = {
                "theory": {"ls": "-", "lw": 1.4, "color": colour, "zorder": 2},
                "closed": {"ls": "", "marker": "x", "ms": 6, "color": INK, "zorder": 4},
            }
            for kind, look in looks.items():
                points = [(s.psi_n, e.value) for s in sizes for e in getattr(s, name)[kind] if e.value is not None]
                if points:
                    x, y = np.array(points).T
                    axes.plot(x, y, **look)  # type: ignore[arg-type]
                    drawn.append(y)
    size_axis(axes.xaxis, psi_n)
    log_axis(axes.yaxis, *span(drawn), pad=1.5)
    handles = [Line2D([], [], color=GENERATE, marker="o", ls="", label="τ_gen, trained"),
               Line2D([], [], color=COPY, marker="D", ls="", label="τ_mem, trained")]  # fmt: skip
    if theory:
        handles += [Line2D([], [], color=INK, label="limit theory"),
                    Line2D([], [], color=INK, marker="x", ls="", label="closed form, same draws")]  # fmt: skip
    axes.legend(handles=handles, loc="upper left", fontsize=9)
    axes.set(xlabel="samples per dimension ψ_n", ylabel=clock)
