"""Comparisons: figures that hold several runs against one another, and the summary of them all.

Each function returns a matplotlib `Figure`; fits and rescaled curves are handed in, not computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genwindow.curve import Curve, Estimate
from genwindow.errors import check
from genwindow.report.canvas import log_axis, new_figure, note, percent_axis, size_axis, span, style
from genwindow.report.figures import STEPS, band, estimate_bars, mark_cut, ranks
from genwindow.report.labels import figure_labels
from genwindow.report.palette import COPY, GENERATE, INK, MUTED, WINDOW, size_colours
from genwindow.report.window import window
from genwindow.report.words import last_step
from genwindow.runs.result import RunResult

if TYPE_CHECKING:
    from genwindow.analysis.scaling import Collapse, PowerLaw


def windows_figure(runs: Sequence[RunResult]) -> Figure:
    """One row per run: from tau_gen to tau_mem, green where the window is open, hatched where it is closed."""
    with style():
        figure = new_figure(4.4, 1.15 + 0.42 * len(runs))
        axes = figure.subplots()
        low, high = _time_span(runs)
        log_axis(axes.xaxis, low, high, pad=1.15)
        draw_windows(axes, runs, low / 1.15, high * 1.15)
        axes.set_xlabel(STEPS)
        handles, names = axes.get_legend_handles_labels()
        if handles:
            axes.legend(handles, names, ncols=2, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1)
        return figure


def draw_windows(axes: Axes, runs: Sequence[RunResult], low: float, high: float) -> None:
    """Draw the bars of `windows_figure` into `axes`, whose time axis runs from `low` to `high`."""
    for row, run in enumerate(runs):
        found = window(run)
        gen, mem = found.tau_gen, found.tau_mem
        start, end = gen.value or low, mem.value or mem.low or high
        if found.state in ("open", "open_end"):
            axes.barh(row, end - start, left=start, height=0.5, color=WINDOW, lw=0, zorder=1)
        elif found.state == "closed":
            start, end = gen.value or high, mem.value or low
            axes.barh(row, start - end, left=end, height=0.5, color="none", edgecolor="#e0a58a", hatch="////", lw=0)
            right = max(start, gen.high or 0, mem.high or 0)
            axes.annotate("closed", (right, row), xytext=(7, 0), textcoords="offset points", va="center", color=MUTED)
        for estimate, colour, marker, name in ((gen, GENERATE, "o", "τ_gen"), (mem, COPY, "D", "τ_mem")):
            _mark_time(axes, estimate, row, colour, marker, name, low, high)
        if found.state == "unknown" and not (gen.found or mem.found):
            axes.annotate("not known", (low, row), xytext=(8, 0), textcoords="offset points", va="center", color=MUTED)
    axes.set_yticks(range(len(runs)), figure_labels(runs))
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def _mark_time(
    axes: Axes, estimate: Estimate, row: int, colour: str, marker: str, name: str, low: float, high: float
) -> None:
    label = None if name in axes.get_legend_handles_labels()[1] else name
    if estimate.value is not None:
        look: dict[str, Any] = {"fmt": marker, "ms": 6, "color": colour, "elinewidth": 1.6, "zorder": 3}
        axes.errorbar(estimate.value, row, xerr=estimate_bars(estimate), label=label, **look)
    elif estimate.status == "not_reached":
        axes.plot(high, row, ">", color=colour, mfc="white", ms=8, clip_on=False, zorder=3)
        text: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "va": "center", "color": INK}
        axes.annotate(
            f"{name} {estimate}" if estimate.low else f"{name} not reached", (high, row), xytext=(-9, 0), **text
        )
    elif estimate.status == "below_range":
        axes.plot(low, row, "<", color=colour, mfc="white", ms=8, clip_on=False, zorder=3)


def _time_span(runs: Sequence[RunResult]) -> tuple[float, float]:
    return span([c.tau for run in runs for c in run.curves if len(c)] or [np.array([1.0, 10.0])])


def timescale_figure(runs: Sequence[RunResult], scaling: PowerLaw | None = None) -> Figure:
    """tau_gen and tau_mem against n with intervals, the fitted line and a guide of slope 1."""
    with style():
        figure = new_figure(4.4, 3.6)
        draw_timescales(figure.subplots(), runs, scaling)
        return figure


def draw_timescales(axes: Axes, runs: Sequence[RunResult], scaling: PowerLaw | None) -> None:
    """Draw `timescale_figure` into `axes`."""
    sizes = [run.n for run in runs]
    size_axis(axes.xaxis, sizes)
    times = [run.estimates[name] for run in runs for name in ("tau_gen", "tau_mem") if name in run.estimates]
    ends_known = [e for time in times for e in (time.low, time.value, time.high) if e]
    low, high = span([np.array(ends_known)]) if ends_known else _time_span(runs)
    log_axis(axes.yaxis, low, high, pad=1.7)
    axes.set(xlabel="training images n", ylabel="training steps τ")
    ends = np.array([min(sizes), max(sizes)], dtype=float)
    for name, colour, marker in (("tau_gen", GENERATE, "o"), ("tau_mem", COPY, "D")):
        label: str | None = name.replace("tau", "τ")
        for run in runs:
            label = _mark_size(axes, run, name, colour, marker, label)
    if scaling is not None and scaling.exponent.value is not None:
        beta = scaling.exponent.value
        axes.plot(ends, scaling.predict(ends), color=COPY, lw=1.6, label=f"fit τ_mem ∝ n^{beta:.2f}", zorder=2)
        centre = float(np.exp(np.log(scaling.n).mean()))
        guide = float(scaling.predict(centre)) * ends / centre
        axes.plot(ends, guide, color=MUTED, lw=1.1, ls=":", label="slope 1", zorder=1)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)


def _mark_size(axes: Axes, run: RunResult, name: str, colour: str, marker: str, label: str | None) -> str | None:
    """Draw one time at its n; returns the label that is still to be used."""
    estimate = run.estimates.get(name)
    if estimate is None:
        return label
    look: dict[str, Any] = {"color": colour, "zorder": 3, "ms": 7}
    at = run.n * (0.96 if name == "tau_gen" else 1.0)  # side by side where the two times are close
    if estimate.value is not None:
        bars = estimate_bars(estimate)
        axes.errorbar(at, estimate.value, yerr=bars, fmt=marker, label=label, elinewidth=1.6, **look)
        mark_cut(axes, at, estimate, colour)
        return None
    up = estimate.status == "not_reached"
    bound = (estimate.low or last_step(run)) if up else estimate.high
    if estimate.status in ("not_reached", "below_range") and bound:
        length = bound * (0.45 if up else 0.3)
        axes.errorbar(at, bound, yerr=length, lolims=up, uplims=not up, fmt=marker, mfc="white", mew=1.6, **look)
    return label


def collapse_figure(runs: Sequence[RunResult], collapsed: Collapse) -> Figure:
    """f_mem against training time divided by n**exponent: one line per run, one on another if the law holds."""
    with style():
        figure = new_figure(4.4, 3.4)
        axes = figure.subplots()
        measured = [
            (r, label, "os^D"[rank % 4])
            for r, label, rank in zip(runs, figure_labels(runs), ranks(runs), strict=True)
            if f_mem_curve(r) is not None
        ]
        check(
            len(measured) == len(collapsed.curves),
            f"collapsed needs one curve for each run with f_mem, got {len(collapsed.curves)} for {len(measured)} runs",
        )
        colours = size_colours([run.n for run in runs])
        for (run, label, marker), curve in zip(measured, collapsed.curves, strict=True):
            band(axes, curve, colours[run.n], label=label, marker=marker)
        if not measured:
            note(axes, "nothing measured yet")
            return figure
        log_axis(axes.xaxis, *span([curve.tau for curve in collapsed.curves]))
        percent_axis(axes)
        power = "n" if collapsed.exponent == 1 else f"n^{collapsed.exponent:.3g}"
        axes.set(xlabel=f"training steps per image τ / {power}", ylabel="f_mem")
        axes.legend(loc="upper left")
        return figure


def f_mem_curve(run: RunResult) -> Curve | None:
    """The f_mem curve of a run, or None when it has no measurement."""
    return next((c for c in run.curves_named("f_mem") if len(c)), None)


def summary_figure(runs: Sequence[RunResult], scaling: PowerLaw | None = None) -> Figure:
    """Two panels for a README: quality, windows and f_mem along training on the left, the two times against n right."""
    with style():
        rows = 0.25 * len(runs) + 0.1
        figure = new_figure(10.4, 4.0 + rows)
        left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.25, 1))[0]
        quality, bars, copying = left.subplots(3, 1, sharex=True, height_ratios=(1.4, rows, 1.4))
        colours = size_colours([run.n for run in runs])
        low, high = _time_span(runs)
        log_axis(copying.xaxis, low, high)
        frechet = [c for run in runs for c in run.curves_named("frechet") if len(c)]
        for run, label in zip(runs, figure_labels(runs), strict=True):
            for curve in run.curves_named("frechet"):
                band(quality, curve, colours[run.n], label=label)
            for curve in run.curves_named("f_mem"):
                band(copying, curve, colours[run.n])
        if frechet and all((c.value > 0).all() for c in frechet):
            log_axis(quality.yaxis, *span([c.value for c in frechet]), pad=1.3)
        draw_windows(bars, runs, low / 1.08, high * 1.08)
        bars.tick_params(axis="x", length=0)
        percent_axis(copying)
        quality.set(ylabel="Fréchet distance")
        copying.set(ylabel="f_mem", xlabel=STEPS)
        if frechet:
            quality.legend(ncols=4, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.1, columnspacing=1.0)
        draw_timescales(right.subplots(), runs, scaling)
        return figure
