"""What the experiments share that ask whether tau_mem grows with n in the same way under two rules."""

from __future__ import annotations

from collections.abc import Sequence

from genwindow.experiments.experiment import Arm, Finding, law_words, slopes_words
from genwindow.report import Line, Panel, Times, panels_figure
from genwindow.report.palette import ordered_colours

MARKERS = ("D", "o", "s", "^")


def compare_arms(found: Sequence[Arm], question: str) -> Finding:
    """Times against n of every arm, with their laws, and the copies of the two arms along training.

    Args:
        found: at least one arm.
        question: begins the first sentence, for example `tau_mem grows as n to the power`.
    """
    colours = ordered_colours(len(found), "plasma", 0.05, 0.65)
    times = [
        Times(f"τ_mem, {arm.label}", arm.sizes, arm.times("tau_mem"), colour, MARKERS[i % 4], arm.law)
        for i, (arm, colour) in enumerate(zip(found, colours, strict=True))
    ]
    quality = [
        Times(f"τ_gen, {arm.label}", arm.sizes, arm.times("tau_gen"), colour, MARKERS[i % 4])
        for i, (arm, colour) in enumerate(zip(found, colours, strict=True))
    ]
    copies = [
        Line(arm.label if k == 0 else "", run.curve("f_mem"), colour)
        for arm, colour in zip(found, colours, strict=True)
        for k, run in enumerate(r for r in arm.runs if r.curves_named("f_mem"))
    ]
    steps = "training steps τ"
    figure = panels_figure(
        [
            Panel("copies, one line for each n", steps, "f_mem", copies, shares=True, top=None),
            Panel("time to copying", "training images n", steps, times, guide=1.0),
            Panel("time to quality", "training images n", steps, quality),
        ],
        columns=3,
    )
    listed = "; ".join(f"{law_words(arm.law)} ({arm.label})" for arm in found)
    slopes = "; ".join(f"{slopes_words(arm.law.local_slopes.tolist())} ({arm.label})" for arm in found)
    sentences = (
        f"{question} {listed}.",
        f"Local slopes between neighbouring sizes: {slopes}.",
        *filter(None, (_ratios(found),)),
    )
    caption = (
        "Copies along training, lines from left to right with growing n; time to copying against n with the fitted "
        "power law of each arm and a dotted line of slope 1; time to quality."
    )
    return Finding({"arms": {arm.label: arm.summary() for arm in found}}, sentences, figure, caption)


def _ratios(found: Sequence[Arm]) -> str:
    """How many times later the last arm copies than the first, at each n where both do; means over seeds."""
    if len(found) < 2:
        return ""
    first, last = found[0], found[-1]
    earlier, later = first.mean_times("tau_mem"), last.mean_times("tau_mem")
    words = [f"{later[n] / earlier[n]:.2f} (n = {n})" for n in earlier if n in later]
    return f"tau_mem of {last.label} over that of {first.label}: {', '.join(words)}." if words else ""
