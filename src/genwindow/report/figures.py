"""Figures of one run: quality and copying along training, denoising losses, its samples at every threshold.

Each function returns a matplotlib `Figure` and computes nothing that is not in the `RunResult` already.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETDOWN, CARETUP
from numpy.typing import NDArray

from genwindow.curve import Curve, Estimate
from genwindow.report.canvas import log_axis, new_figure, note, percent_axis, span, style
from genwindow.report.gallery import limit_words
from genwindow.report.labels import figure_labels
from genwindow.report.palette import COPY, GENERATE, INK, MUTED, WINDOW, ordered_colours, size_colours
from genwindow.report.window import UNKNOWN, window
from genwindow.runs.result import RunResult

STEPS = "training steps τ"

PALE: dict[str, Any] = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 0.8}
"""Behind words that lines may cross."""

TITLE = 30
"""Letters of a title that fit above the axes of one run."""


def window_figure(run: RunResult, title: str = "") -> Figure:
    """Fréchet distance (above) and memorized fraction (below) against training time, with the window shaded.

    Args:
        run: the run.
        title: tells it from other runs; empty for its n.
    """
    with style():
        figure = new_figure(4.4, 4.1)
        quality, copying = figure.subplots(2, 1, sharex=True, height_ratios=(1, 1))
        set_title(quality, title or f"n = {run.n}", pad=20)
        curves = [c for name in ("frechet", "f_mem") for c in run.curves_named(name) if len(c)]
        if not curves:
            copying.remove()
            note(quality, "nothing measured yet")
            return figure
        low, high = span([c.tau for c in curves])
        log_axis(copying.xaxis, low, high)
        for axes in (quality, copying):
            shade_window(axes, run, low / 1.08, high * 1.08)
        _draw_quality(quality, run)
        _draw_copying(copying, run)
        _name_times(quality, copying, run)
        copying.set_xlabel(STEPS)
        return figure


def set_title(axes: Axes, title: str, pad: float) -> None:
    """Write `title` above `axes`, in lines of what fits: the name of a run may be long."""
    lines = textwrap.wrap(title, TITLE)
    axes.set_title("\n".join(lines), pad=pad, fontsize=12 if len(lines) == 1 else 10.5)


def shade_window(axes: Axes, run: RunResult, low: float, high: float) -> None:
    """Shade the window green, or hatch the closed one, and mark tau_gen and tau_mem by upright lines."""
    found = window(run)
    gen, mem = found.tau_gen, found.tau_mem
    start, end = gen.value, mem.value
    if found.state in ("open", "open_end"):
        axes.axvspan(start or low, end or high, color=WINDOW, alpha=0.45, lw=0, zorder=0)
    elif found.state == "closed":
        axes.axvspan(end or low, start or high, facecolor="none", edgecolor="#e0a58a", hatch="///", lw=0, zorder=0)
    for estimate, colour, dashes in ((gen, GENERATE, "-"), (mem, COPY, "--")):
        if estimate.value is not None:
            axes.axvline(estimate.value, color=colour, lw=1.4, ls=dashes, zorder=1)


def _name_times(above: Axes, below: Axes, run: RunResult) -> None:
    """Write τ_gen and τ_mem over their lines in `above`, on the outer sides; what lies outside the run goes `below`."""
    found = window(run)
    sides = ("left", "right") if found.state == "closed" else ("right", "left")
    times = (("τ_gen", found.tau_gen, GENERATE), ("τ_mem", found.tau_mem, COPY))
    for row, ((name, estimate, colour), side) in enumerate(zip(times, sides, strict=True)):
        if estimate.value is not None:
            place: dict[str, Any] = {
                "transform": above.get_xaxis_transform(),
                "ha": side,
                "va": "bottom",
                "color": colour,
            }
            above.text(estimate.value, 1.0, f"{name} " if side == "right" else f" {name}", **place)
        elif estimate.status in ("not_reached", "below_range"):
            late = estimate.status == "not_reached"
            place = {"transform": below.transAxes, "ha": "right" if late else "left", "va": "top", "color": colour}
            text = f"{name} not reached →" if late else f"← {name} earlier"
            below.text(float(late), 0.96 - 0.13 * row, text, **place)


def _draw_quality(axes: Axes, run: RunResult) -> None:
    axes.set_ylabel("Fréchet distance")
    values = []
    for curve in run.curves_named("frechet"):
        band(axes, curve, GENERATE, marker="o")
        values.append(curve.value)
    for name, text, dashes in (("frechet_noise", "pure noise", ":"), ("frechet_floor", "real images", "--")):
        level = run.estimates.get(name, UNKNOWN).value
        if level is not None:
            axes.axhline(level, color=MUTED, lw=1.1, ls=dashes)
            at, side, shift, edge = (0.985, "right", -3, "top") if dashes == ":" else (0.015, "left", 3, "bottom")
            axes.annotate(
                text, (at, level), xycoords=axes.get_yaxis_transform(), xytext=(0, shift),
                textcoords="offset points", ha=side, va=edge, fontsize=9.5, color=MUTED, bbox=PALE,
            )  # fmt: skip
            values.append(np.array([level]))
    every = np.concatenate(values) if values else np.empty(0)
    if len(every) and (every > 0).all():
        log_axis(axes.yaxis, *span([every]), pad=1.5)


def _draw_copying(axes: Axes, run: RunResult) -> None:
    axes.set_ylabel("f_mem")
    for curve in run.curves_named("f_mem"):
        band(axes, curve, COPY, marker="o")
    percent_axis(axes)
    floor = run.estimates.get("floor", UNKNOWN).value
    if floor is not None:
        axes.axhline(floor, color=MUTED, lw=1.1, ls="--")
        axes.annotate(
            "held-out images", (0.015, floor), xycoords=axes.get_yaxis_transform(), xytext=(0, 5),
            textcoords="offset points", fontsize=9.5, color=MUTED, bbox=PALE,
        )  # fmt: skip


def band(axes: Axes, curve: Curve, colour: str, *, label: str | None = None, marker: str = "", ls: str = "-") -> None:
    """Draw a curve and, where it has one, its interval as a pale band; times that are not positive are left out."""
    keep = curve.tau > 0
    if curve.low is not None and curve.high is not None:
        axes.fill_between(curve.tau[keep], curve.low[keep], curve.high[keep], color=colour, alpha=0.16, lw=0)
    axes.plot(curve.tau[keep], curve.value[keep], color=colour, label=label, marker=marker, ms=3.5, ls=ls)


def loss_figure(run: RunResult, title: str = "") -> Figure:
    """Held-out (solid) and training (dashed) denoising loss, one pair of lines for each fixed diffusion time.

    Args:
        run: the run.
        title: tells it from other runs; empty for its n.
    """
    with style():
        figure = new_figure(4.4, 3.4)
        axes = figure.subplots()
        set_title(axes, title or f"n = {run.n}", pad=24)
        kinds = (("heldout_loss", "-"), ("train_loss", "--"))
        pairs = [(c, ls) for name, ls in kinds for c in run.curves_named(name) if (c.tau > 0).any()]
        if not pairs:
            note(axes, "no losses measured")
            return figure
        times = sorted({c.t for c, _ in pairs if c.t is not None})
        shades = dict(zip(times, ordered_colours(len(times), "plasma", 0.0, 0.72), strict=True))
        for curve, dashes in pairs:
            band(axes, curve, shades.get(curve.t, INK) if curve.t is not None else INK, ls=dashes)
        low, high = span([c.tau for c, _ in pairs])
        log_axis(axes.xaxis, low, high)
        values = [c.value for c, _ in pairs]
        if all((v > 0).all() for v in values):
            log_axis(axes.yaxis, *span(values), pad=1.15)
        _name_lines(axes, [(f"t = {c.t:.3g}", c, shades[c.t]) for c, ls in pairs if ls == "-" and c.t is not None])
        axes.set(xlabel=STEPS, ylabel="denoising loss")
        lines = [Line2D([], [], color=INK, ls="-"), Line2D([], [], color=INK, ls="--")]
        axes.legend(lines, ["held-out", "training"], ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        return figure


def _name_lines(axes: Axes, named: Sequence[tuple[str, Curve, str]], gap: float = 0.075) -> None:
    """Write each name at the right of its line's end, pushed apart where ends lie close; height in axes units."""
    low, high = axes.get_ylim()
    log = axes.get_yscale() == "log"

    def height(value: float) -> float:
        share = np.log(value / low) / np.log(high / low) if log else (value - low) / (high - low)
        return float(share)

    ordered = sorted(named, key=lambda item: item[1].value[-1])
    heights = spread([height(c.value[-1]) for _, c, _ in ordered], gap)
    for (name, _, colour), at in zip(ordered, heights, strict=True):
        axes.annotate(name, (1.02, at), xycoords="axes fraction", va="center", color=colour, annotation_clip=False)


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Increasing positions at least `gap` apart, as near to the increasing `heights` as a common shift allows."""
    steps = gap * np.arange(len(heights))
    raised = np.maximum.accumulate(np.array(heights) - steps) + steps
    lowered = np.minimum.accumulate((np.array(heights) - steps)[::-1])[::-1] + steps
    return [float(h) for h in (raised + lowered) / 2]


def ratio_figure(runs: Sequence[RunResult]) -> Figure:
    """Share of images below each ratio threshold at the last measuring time: generated against held-out real ones."""
    with style():
        figure = new_figure(4.4, 3.4)
        axes = figure.subplots()
        colours, drawn = size_colours([run.n for run in runs]), False
        for run, label, rank in zip(runs, figure_labels(runs), ranks(runs), strict=True):
            if not len(run.ratio_curve.get("threshold", ())):
                continue
            drawn, threshold = True, run.ratio_curve["threshold"]
            axes.plot(threshold, run.ratio_curve["generated"], color=colours[run.n], label=label,
                      ls=("-", "--", "-.", (0, (1, 1, 5, 1)))[rank % 4])  # fmt: skip
            axes.plot(threshold, run.ratio_curve["heldout"], color=colours[run.n], ls=":", lw=1.5)
        if not drawn:
            note(axes, "nothing measured yet")
            return figure
        for limit in sorted({run.config.measure.threshold for run in runs}):
            axes.axvline(limit, color=COPY, lw=1.4, ls="--", zorder=1, label=f"copies: below {limit_words(limit)}")
        percent_axis(axes)
        axes.set(xlabel="threshold on d₁/d₂", ylabel="share of images below", xlim=(0, 1))
        handles, names = axes.get_legend_handles_labels()
        handles.append(Line2D([], [], color=INK, ls=":", lw=1.5))
        axes.legend(handles, [*names, "held-out images"], ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        return figure


def ranks(runs: Sequence[RunResult]) -> tuple[int, ...]:
    """Which of the runs with its n each run is, from 0: their colour is the same, so a line style or marker differs."""
    return tuple([r.n for r in runs[:i]].count(run.n) for i, run in enumerate(runs))


def mark_cut(axes: Axes, at: float, estimate: Estimate, colour: str) -> None:
    """An arrowhead at the edge of the axes where the vertical bar of `estimate` goes on beyond it."""
    if estimate.value is None:
        return
    bottom, top = axes.get_ylim()
    ends = ((0.0, CARETDOWN, estimate.low, -1), (1.0, CARETUP, estimate.high, 1))
    for edge, marker, end, way in ends:
        if end is not None and way * end > way * (top if edge else bottom):
            axes.plot(at, edge, marker=marker, ms=7, color=colour, ls="", transform=axes.get_xaxis_transform(),
                      clip_on=False, zorder=3)  # fmt: skip


def estimate_bars(estimate: Estimate) -> NDArray[np.float64] | None:
    """(2, 1) distances from the value down and up to its interval, for error bars; an open end has length 0."""
    if estimate.value is None:
        return None
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return np.array([[estimate.value - low], [high - estimate.value]])
