"""The forecast's files: a figure of pilots, lines and target, a page around it, and the numbers as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from genwindow.analysis.blend import ODDS, Blend
from genwindow.analysis.expectation import Expectation
from genwindow.analysis.forecast import SLOPE, Forecast
from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError
from genwindow.files import to_json_text, write_atomically
from genwindow.report.canvas import log_axis, new_figure, note, png, style
from genwindow.report.expectation import SHAPES, expectation_sentences, seconds_words
from genwindow.report.palette import COPY, GENERATE, INK, MUTED
from genwindow.report.panels import Times, draw_times
from genwindow.report.rendering import render
from genwindow.report.sections import picture

POINTS = 28
"""At which a line is drawn."""


def write_forecast(found: Expectation, folder: Path, title: str, truth: Sequence[tuple[float, Estimate]] = ()) -> None:
    """Write forecast.png, forecast.html and forecast.json, each whole or not at all.

    Args:
        found: what is expected.
        folder: made where it is missing.
        title: heading of the page.
        truth: size and tau_mem of runs trained for real, where there are some.

    Raises:
        GenwindowError: when the folder cannot be written.
    """
    page, figure = render_forecast(found, title, truth), forecast_figure(found, truth)
    numbers = to_json_text({**found.to_json(), "sentences": list(expectation_sentences(found))})
    png(figure, folder / "forecast.png")
    write_atomically(folder / "forecast.html", page)
    write_atomically(folder / "forecast.json", numbers)


def forecast_figure(found: Expectation, truth: Sequence[tuple[float, Estimate]] = ()) -> Figure:
    """Pilots, both lines, the forecast with its interval, the target, and the theory beside them, never mixed in.

    Args:
        found: what is expected.
        truth: size and tau_mem of runs trained for real.
    """
    with style():
        figure = new_figure(5.2, 4.3)
        _draw(figure.subplots(), found, truth)
        return figure


def forecasts_figure(named: Sequence[tuple[str, Expectation, Sequence[tuple[float, Estimate]]]]) -> Figure:
    """Several forecasts, three in a row: title, what is expected, and size and tau_mem of runs trained for real."""
    with style():
        columns = min(max(len(named), 1), 3)
        rows = max(-(-len(named) // columns), 1)
        figure = new_figure(4.4 * columns, 4.3 * rows)
        if not named:
            note(figure.subplots(), "no forecast could be made")
            return figure
        places = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, (title, found, truth) in zip(places, named, strict=False):
            _draw(axes, found, truth)
            axes.set_title(title, fontsize=11)
        for axes in places[len(named) :]:
            axes.remove()
        return figure


def _draw(axes: Axes, found: Expectation, truth: Sequence[tuple[float, Estimate]]) -> None:
    pilots = found.lines[0].pilots
    ends = list(draw_times(axes, Times("pilots", [p.n for p in pilots], [p.tau for p in pilots], COPY, "D")))
    if truth:
        real = Times("trained for real", [n for n, _ in truth], [tau for _, tau in truth], GENERATE, "o")
        ends += list(draw_times(axes, real))
    smallest = min(p.n for p in pilots)
    largest = max(found.n, *(n for n, _ in truth), *(p.n for p in pilots))
    sizes = [float(n) for n in np.geomspace(smallest, largest, POINTS)]
    n, predicted = _predictions(found.line, sizes, found.width)
    low, high = [one[0] for one in predicted], [one[2] for one in predicted]
    axes.plot(n, [value for _, value, _ in predicted], color=COPY, lw=1.6, label="forecast")
    axes.fill_between(n, low, high, color=COPY, alpha=0.14, lw=0, label="90 % interval")
    ends += [min(low), max(high)]
    if len(found.lines) > 1:
        for line, dashes in zip(found.lines, ("--", "-."), strict=False):
            n, predicted = _predictions(line, sizes, found.width)
            label = f"{line.shape} alone, {found.weight(line):.0%}"
            axes.plot(n, [value for _, value, _ in predicted], color=MUTED, ls=dashes, lw=1.2, label=label)
    inside = [(size, tau) for size, tau in found.theory if smallest <= size <= largest]
    if inside:
        axes.plot(*zip(*inside, strict=True), color=INK, lw=1.1, ls=":", label="theory, time scaled")
    axes.axvline(found.n, color=MUTED, lw=1.0)
    log_axis(axes.xaxis, smallest, largest, pad=1.3)
    log_axis(axes.yaxis, min(ends), max(ends), pad=1.6)
    axes.set(xlabel="training images n", ylabel="training steps τ_mem")
    axes.legend(loc="upper left")


def _predictions(
    line: Forecast | Blend, sizes: Sequence[float], width: float | None
) -> tuple[list[float], list[tuple[float, float, float]]]:
    """Where the line is known: a bent one ends where its theory was computed."""
    made = []
    for n in sizes:
        try:
            tau = line.predict(n, width=width)
        except GenwindowError:
            continue
        assert tau.low is not None and tau.value is not None and tau.high is not None
        made.append((n, (tau.low, tau.value, tau.high)))
    return [n for n, _ in made], [ends for _, ends in made]


def render_forecast(found: Expectation, title: str, truth: Sequence[tuple[float, Estimate]] = ()) -> str:
    """The page as HTML text."""
    sentences = expectation_sentences(found)
    caption = (
        "Pilots with their intervals, the forecast with its 90 % interval for one new run, the lines it is made of "
        "(dashed), and the theory of random features with the data's own covariance (dotted), moved in time to meet "
        "the pilots. The vertical line is the target."
    )
    return render(
        "forecast.html.j2",
        slope=[f"{value:g}" for value in SLOPE],
        odds=f"{ODDS['theory']:g}",
        title=title,
        answer=sentences[0],
        sentences=sentences[1:],
        tiles=_tiles(found),
        figure=picture(forecast_figure(found, truth), "Training time to copying against images", caption),
        lines=[_line_row(found, i) for i in range(len(found.lines))],
        pilots=[_pilot_row(p) for p in found.pilots],
        truth=[{"n": f"{n:g}", "tau_mem": str(tau)} for n, tau in truth],
    )


def _interval(tau: Estimate) -> str:
    return f"90 %: {short(tau.low)} to {short(tau.high)}"


def _tiles(found: Expectation) -> list[dict[str, str]]:
    tau, window, loss = found.tau_mem, found.window, found.loss
    hours = found.hours(tau) or {"value": None}
    value = hours["value"]
    clock = "-" if value is None else f"{value:.2g} h" if value >= 1 else f"{60 * value:.2g} min"
    last = (
        f"90 %: {short(window.low)} to {short(window.high)}" if window.found else "copies may come before good samples"
    )
    length = f"{short(window.value)} steps" if window.found else "not sure to open"
    return [
        {"name": "copying begins", "number": f"{short(tau.value)} steps", "kind": "copy", "note": _interval(tau)},
        {"name": "window lasts", "number": length, "kind": "window" if window.found else "plain", "note": last},
        {"name": "on this machine", "number": clock, "kind": "plain",
         "note": f"to copying, at {seconds_words(found.seconds_per_step)} a step, {found.pace}"},
        {"name": "losses split", "number": "-" if loss is None else f"{short(loss.value)} steps", "kind": "generate",
         "note": "not known" if loss is None else f"{_interval(loss)}; earlier and weaker"},
    ]  # fmt: skip


def _line_row(found: Expectation, i: int) -> dict[str, Any]:
    line, test = found.lines[i], found.tests[i]
    predicted = line.predict(found.n, width=found.width)
    missed = "needs three sizes" if test is None else (
        f"n = {test.n:g}: factor {max(test.factor, 1 / test.factor):.2f} too {'late' if test.factor > 1 else 'early'}, "
        f"{'inside' if test.inside else 'outside'} the interval"
    )  # fmt: skip
    return {
        "name": SHAPES[line.shape],
        "weight": f"{found.weight(line):.0%}",
        "predicted": f"{short(predicted.value)} [{short(predicted.low)}, {short(predicted.high)}]",
        "exponent": f"{line.exponent.value:.2f} [{line.exponent.low:.2f}, {line.exponent.high:.2f}]",
        "one": f"p = {line.slope_one_p:.2g}",
        "scatter": f"{100 * line.sigma:.0f} %",
        "test": missed,
    }


def _pilot_row(pilot: Any) -> dict[str, str]:
    return {
        "n": f"{pilot.n}", "width": f"{pilot.width}", "seed": f"{pilot.seed}", "steps": f"{pilot.steps:,}",
        "tau_gen": str(pilot.tau_gen), "tau_mem": str(pilot.tau_mem), "tau_mem_loss": str(pilot.tau_mem_loss),
        "time": f"{pilot.seconds:.0f} s",
    }  # fmt: skip
