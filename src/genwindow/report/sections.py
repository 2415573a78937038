"""Sections of the page: groups of figures, each with a heading and a caption that says what to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from matplotlib.figure import Figure

from genwindow.report.canvas import svg
from genwindow.report.comparisons import collapse_figure, f_mem_curve, timescale_figure, windows_figure
from genwindow.report.figures import loss_figure, ratio_figure, window_figure
from genwindow.report.labels import labels
from genwindow.report.window import UNKNOWN
from genwindow.report.words import finding, last_step, scaling_sentence
from genwindow.runs.result import RunResult

if TYPE_CHECKING:
    from genwindow.analysis.scaling import Collapse, PowerLaw


@dataclass(frozen=True)
class Picture:
    """A figure as an image element: its SVG as a data URI, what it shows in words, its size in inches."""

    uri: str
    alt: str
    width: float
    height: float
    caption: str = ""


@dataclass(frozen=True)
class Group:
    """Figures that share a heading, a caption that says what to see, and a place on the page."""

    heading: str
    caption: str
    pictures: tuple[Picture, ...]


def picture(figure: Figure, alt: str, caption: str = "") -> Picture:
    """The figure with its description and caption, ready for an image element."""
    width, height = figure.get_size_inches()
    uri = "data:image/svg+xml," + quote(svg(figure), safe=" !$'()*+,-./:;=?@^_`{|}~")
    return Picture(uri, alt, float(width), float(height), caption)


BETTER = (
    " Samples can lie below the dashed line of real images: a distance shrinks with the number of images, and that "
    "line is of the real images that were left, often fewer than the samples."
)


def _below_real(run: RunResult) -> bool:
    """Whether samples come nearer to the held-out images than other real images do."""
    real = run.estimates.get("frechet_floor", UNKNOWN).value
    return real is not None and any(bool((curve.value < real).any()) for curve in run.curves_named("frechet"))


def overview(runs: Sequence[RunResult]) -> Picture | None:
    """The windows of all runs, or None while none has measured anything."""
    if all(last_step(run) is None for run in runs):
        return None
    found = "; ".join(f"{label}: {finding(run)}" for run, label in zip(runs, labels(runs), strict=True))
    return picture(windows_figure(runs), found)


def figure_groups(
    runs: Sequence[RunResult], scaling: PowerLaw | None, collapsed: Collapse | None, closer: Sequence[int]
) -> tuple[Group, ...]:
    """All figures of the page below the gallery, in order; runs without a measurement have none of their own.

    Args:
        runs: all runs of the page.
        scaling: tau_mem against n, or None.
        collapsed: f_mem against tau / n, or None.
        closer: positions of the runs that are shown one by one.
    """
    names = labels(runs)
    pairs = [(runs[i], names[i]) for i in closer if last_step(runs[i]) is not None]
    if not pairs:
        return ()
    many = len(runs) > 1
    windows = tuple(
        picture(
            window_figure(r, m), f"Fréchet distance and f_mem against training steps, {m}. {finding(r)}", finding(r)
        )
        for r, m in pairs
        if r.config.measure.samples
    )
    losses = tuple(
        picture(loss_figure(r, m), f"Held-out and training loss against training steps, {m}.")
        for r, m in pairs
        if r.curves_named("heldout_loss") or r.curves_named("train_loss")
    )
    groups = []
    if windows:
        groups.append(
            Group(
                "Quality and copying along training",
                "The upper curve falls as samples come to look like real images, the lower one rises as they become "
                "copies; the green band between tau_gen and tau_mem is the window, a hatched band is a closed one."
                + (BETTER if any(_below_real(r) for r, _ in pairs) else ""),
                windows,
            )
        )
    if many and scaling is not None:
        pictures = [
            picture(
                timescale_figure(runs, scaling),
                f"tau_gen and tau_mem against n. {scaling_sentence(scaling)}",
                "Times against n. Compare the slope of tau_mem with the dotted line of slope 1, and with the row of "
                "tau_gen. An open marker with an arrow is a bound: not reached within the run.",
            )
        ]
        if collapsed is not None and any(f_mem_curve(r) is not None for r in runs):
            pictures.append(
                picture(
                    collapse_figure(runs, collapsed),
                    "f_mem against training steps divided by the training-set size, one line for each n.",
                    "Copying against steps per training image. If tau_mem grows as n, the lines fall together.",
                )
            )
        groups.append(Group("How the times grow with n", "", tuple(pictures)))
    if losses:
        groups.append(
            Group(
                "Held-out and training loss",
                "One pair of lines for each diffusion time t. Where the dashed training loss leaves the solid held-out "
                "loss, the network does better on the images it was trained on: an early sign, not yet copying.",
                losses,
            )
        )
    near = [runs[i] for i in closer]
    if any(len(r.ratio_curve.get("threshold", ())) for r in near):
        shown = picture(
            ratio_figure(near),
            "Share of generated and of held-out images whose distance ratio lies below each threshold.",
        )
        caption = (
            "Share of images with d1/d2 below each threshold, at the last measuring time. Copies stand out where the "
            "solid line rises far to the left of the dotted one, whatever threshold is chosen."
        )
        groups.append(Group("Does the threshold matter?", caption, (shown,)))
    return tuple(groups)
