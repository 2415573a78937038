"""The figure of a forecast: pilots, lines with their intervals, the target, and the theory beside them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from genwindow.analysis.forecast import Forecast
from genwindow.report.canvas import log_axis, new_figure, style
from genwindow.report.palette import COPY, INK, MUTED
from genwindow.report.panels import Times, draw_times


def forecast_figure(lines: Sequence[Forecast], target: float, theory: Sequence[tuple[float, float]] = ()) -> Figure:
    """Draw a forecast.

    Args:
        lines: the chosen forecast first.
        target: n to be forecast.
        theory: points (n, tau) of the theory in its own line, never mixed in.
    """
    with style():
        figure = new_figure(5.2, 4.0)
        axes = figure.subplots()
        pilots = lines[0].pilots
        known = draw_times(axes, Times("pilots", [p.n for p in pilots], [p.tau for p in pilots], COPY, "D"))
        smallest, largest = min(p.n for p in pilots), max(target, max(p.n for p in pilots))
        n = np.geomspace(smallest, largest, 24)
        ends = list(known)
        for line, colour, name in zip(lines, (COPY, MUTED), ("forecast", "other"), strict=False):
            found = [line.predict(float(size)) for size in n]
            middle = np.array([e.value for e in found])
            label = f"{name}, {line.shape}"
            axes.plot(n, middle, color=colour, ls="-" if colour == COPY else "--", lw=1.6, label=label)
            if colour == COPY:
                low, high = np.array([e.low for e in found]), np.array([e.high for e in found])
                axes.fill_between(n, low, high, color=colour, alpha=0.14, lw=0, label="90 % interval")
                ends += [float(low.min()), float(high[-1])]
        inside = [(size, tau) for size, tau in theory if smallest <= size <= largest]
        if inside:
            axes.plot(*zip(*inside, strict=True), color=INK, lw=1.1, ls=":", label="theory, time scaled")
        axes.axvline(target, color=MUTED, lw=1.0)
        log_axis(axes.xaxis, smallest, largest, pad=1.3)
        log_axis(axes.yaxis, min(ends), max(ends), pad=1.6)
        axes.set(xlabel="training images n", ylabel="training steps τ_mem")
        axes.legend(loc="upper left")
        return figure
