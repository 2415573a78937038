"""Sentences: what a few pilots say about one full run, and how far to trust it."""

from __future__ import annotations

from genwindow.analysis.blend import BackTest
from genwindow.analysis.expectation import Expectation
from genwindow.analysis.forecast import SLOPE, Forecast
from genwindow.curve import Estimate, short
from genwindow.report.words import listed

SHAPES = {"power law": "straight", "theory": "bent as the theory is for these data"}


def expectation_sentences(found: Expectation) -> tuple[str, ...]:
    """One thought each, the answer first."""
    said = [
        f"At n = {found.n}{_width(found)} copying is expected to begin after {_times(found, found.tau_mem)}.",
        _law(found.straight),
        *_widths(found.straight),
        *_other(found),
        *_tested(found.tests[0]),
        *_closed(found),
        *_loss(found),
        *_window(found),
        *_needed(found),
        _cost(found),
        *found.notes,
    ]
    return tuple(said)


def _width(found: Expectation) -> str:
    return "" if found.width is None else f" and width {found.width:g}"


def span_words(ends: dict[str, float | None]) -> str:
    """`4.2k (2.7k to 6.6k)`."""
    return f"{short(ends['value'])} ({short(ends['low'])} to {short(ends['high'])})"


def _times(found: Expectation, tau: Estimate) -> str:
    """Steps with the interval, images seen, and hours."""
    said = (
        f"{short(tau.value)} steps (90 % interval {short(tau.low)} to {short(tau.high)}), "
        f"{span_words(found.scaled(tau, found.batch))} images seen"
    )
    hours = found.hours(tau)
    if hours is not None:
        said += f", {_clock(hours)} at {seconds_words(found.seconds_per_step)} a step ({found.pace})"
    return said


def _clock(hours: dict[str, float | None]) -> str:
    """In hours, or in minutes where they are few."""
    minutes = (hours["high"] or 0.0) < 2
    ends = {name: None if end is None else end * (60 if minutes else 1) for name, end in hours.items()}
    low, value, high = (f"{float(f'{end:.2g}'):g}" if end is not None else "inf"
                        for end in (ends["low"], ends["value"], ends["high"]))  # fmt: skip
    return f"{value} {'minutes' if minutes else 'hours'} ({low} to {high})"


def seconds_words(seconds: float | None) -> str:
    """`12 ms` or `1.3 s`."""
    if seconds is None:
        return "an unknown time"
    number, unit = (1000 * seconds, "ms") if seconds < 1 else (seconds, "s")
    return f"{float(f'{number:.2g}'):g} {unit}"


def _law(line: Forecast) -> str:
    beta = line.exponent
    verdict = "not excluded" if line.slope_one_p > 0.05 else "excluded"
    return (
        f"By the power law tau_mem grows as n^{beta.value:.2f} (95 % interval {beta.low:.2f} to {beta.high:.2f}), by "
        f"the pilots and what is known beforehand, {SLOPE[0]:g} with standard deviation {SLOPE[1]:g}; proportionality "
        f"to n is {verdict} by the pilots alone (p = {line.slope_one_p:.2g})."
    )


def _widths(line: Forecast) -> list[str]:
    gamma = line.width_exponent
    if gamma is None:
        return []
    return [f"Against the width it goes as W^{gamma.value:.2f} (95 % interval {gamma.low:.2f} to {gamma.high:.2f})."]


def _other(found: Expectation) -> list[str]:
    if len(found.lines) < 2:
        return []
    parts = []
    for line in found.lines:
        alone = line.predict(found.n, width=found.width)
        parts.append(
            f"{SHAPES[line.shape]} ({found.weight(line):.0%}; alone it says {short(alone.value)}, {short(alone.low)} "
            f"to {short(alone.high)})"
        )
    by = "By earlier runs" + (", for want of a back-test," if found.tests[0] is None else " and the back-test")
    return [f"{by} the line is {' or '.join(parts)}; both are in the forecast with these weights."]


def _tested(test: BackTest | None) -> list[str]:
    if test is None:
        return ["No back-test: it needs pilots of three sizes at least."]
    miss = f"a factor {max(test.factor, 1 / test.factor):.2f} too {'late' if test.factor > 1 else 'early'}"
    inside = "inside" if test.inside else "outside"
    said = [
        f"Back-test: from the smaller pilots, n = {test.n:g} would have been forecast {miss}, {inside} the interval."
    ]
    if not test.inside:
        side = "too early, on the safe side" if test.factor < 1 else "too late, which is dangerous"
        said.append(
            f"So these pilots do not lie on one line, and the forecast may well be {side}: train larger pilots before "
            "you rely on it."
        )
    return said


def _closed(found: Expectation) -> list[str]:
    sizes = sorted({pilot.n for pilot in found.pilots if pilot.closed})
    if not sizes:
        return []
    return [
        f"Pilots with n = {listed(sizes)} began to copy before their samples were good: their window is closed. They "
        "say little about sizes at which it is open, and the forecast may be far too early, on the safe side: train "
        "larger pilots before you rely on it."
    ]


def _loss(found: Expectation) -> list[str]:
    tau = found.loss
    if tau is None:
        return ["The loss split cannot be forecast: fewer than two sizes of pilots show it."]
    test = found.loss_test
    doubt = "" if test is None or test.inside else ", though its back-test failed"
    return [
        f"The loss split, an earlier and weaker sign, is expected at {short(tau.value)} steps (90 % interval "
        f"{short(tau.low)} to {short(tau.high)}){doubt}."
    ]


def _window(found: Expectation) -> list[str]:
    if found.tau_gen.value is None:
        return ["No pilot came to good samples, so nothing is known of the window before copying."]
    window = found.window
    whose = f" {found.tau_gen.text}" if found.tau_gen.method == "pilots" else ""
    began = f"Samples{whose} were good after {short(found.tau_gen.value)} steps"
    if not window.found:
        return [f"{began}: with {found.n} images copies may come first, and the window be closed."]
    steps = ", ".join(short(step) for step in found.snapshots)
    return [
        f"{began}, so the window is expected to last {short(window.value)} steps ({short(window.low)} to "
        f"{short(window.high)}); save snapshots at {steps} steps."
    ]


def _needed(found: Expectation) -> list[str]:
    if found.steps is None:
        return []
    images, split = found.needed(found.line), found.needed(found.loss_line)
    if images is None:
        return [f"No number of images that the line reaches is known to allow {found.steps} steps."]
    said = f"To train {found.steps} steps without copies, at 95 % confidence: {images:,.0f} images"
    said += "." if split is None else f"; without a split of the losses: {split:,.0f}."
    smallest = min(pilot.n for pilot in found.pilots)
    if images < smallest:
        said += f" That is below the smallest pilot, {smallest:g}, where the line was not looked at."
    return [said]


def _cost(found: Expectation) -> str:
    steps, seconds = found.cost
    of = steps / found.tau_mem.value if found.tau_mem.value else 0.0
    share = f", {100 * of:.0f} % of those until then" if 0 < of < 1 else ""
    dear = " The run itself would take fewer steps to copy: for so few images train it." if of >= 1 else ""
    clock = f"{seconds / 60:.2g} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"
    return f"The {len(found.pilots)} pilots took {steps:,} steps{share}, and {clock}.{dear}"
