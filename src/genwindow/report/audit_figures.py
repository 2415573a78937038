"""The audit's figures: scores, ratio curves and nearest distances of generated images beside those of real ones."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure

from genwindow.audit import Audit, SpaceResult
from genwindow.metrics.copies import STRICT
from genwindow.report.canvas import log_axis, new_figure, note, percent_axis, span, style
from genwindow.report.palette import COPY, GENERATE, INK, MUTED


def score_figure(found: Audit) -> Figure:
    """Histogram of the scores of generated images, with the calibrated threshold."""
    with style():
        figure = new_figure(4.4, 3.2)
        axes = figure.subplots()
        bins = np.linspace(0, 1, 41)
        scores = np.clip([pair.score for pair in found.pairs], 0, 1)
        axes.hist(scores, bins.tolist(), weights=np.full(len(scores), 1 / len(scores)), color=GENERATE, alpha=0.55,
                  label="generated")  # fmt: skip
        real = np.clip(found.real_scores, 0, 1)
        axes.hist(real, bins.tolist(), weights=np.full(len(real), 1 / len(real)), color=INK, histtype="step", lw=1.4,
                  label="real images")  # fmt: skip
        axes.axvline(
            found.threshold, color=MUTED, ls=":", lw=1.3, label=f"{100 * found.false_positive_rate:g} % of real"
        )
        axes.axvline(STRICT, color=COPY, ls="--", lw=1.3, label="clear copies")
        axes.set(xlabel="score", ylabel="share of images", xlim=(0, 1))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
        return figure


def ratio_curves_figure(found: Audit) -> Figure:
    """Ratio curves of all spaces, with those of real images."""
    with style():
        figure = new_figure(4.4, 3.2)
        axes = figure.subplots()
        for space, colour in zip(found.spaces, cycle((GENERATE, COPY, MUTED, "#6b4c9a", "#5f8a3a")), strict=False):
            at = space.ratio_curve["threshold"]
            curve = space.ratio_curve
            axes.fill_between(at, curve["generated_low"], curve["generated_high"], color=colour, alpha=0.15, lw=0)
            axes.plot(at, curve["generated"], color=colour, label=space.name)
            axes.plot(at, curve["heldout"], color=colour, ls=":", lw=1.4)
        axes.axvline(STRICT, color=MUTED, lw=0.9)
        percent_axis(axes)
        axes.set(xlabel="threshold of d1/d2", ylabel="share of images", xlim=(0, 1))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.1)
        return figure


def distances_figure(space: SpaceResult) -> Figure:
    """Histograms of nearest distances, generated and real."""
    with style():
        figure = new_figure(4.4, 3.0)
        axes = figure.subplots()
        both = np.concatenate([space.distance["generated"], space.distance["heldout"]])
        positive = both[both > 0]
        if not len(positive):
            note(axes, "all distances are zero")
            return figure
        low, high = span([positive])
        low = max(low, high / 1e3)
        bins = np.array([low / 2, low / 1.6, *np.geomspace(low, high * 1.0001, 40)])
        nothing = bool((both < low).any())  # exact copies have no place on a logarithmic axis
        for name, colour, label in (("generated", GENERATE, "generated"), ("heldout", MUTED, "real")):
            values = np.where(space.distance[name] < low, low / 1.8, np.minimum(space.distance[name], high))
            filled = name == "generated"
            axes.hist(values, bins.tolist(), weights=np.full(len(values), 1 / len(values)), color=colour, label=label,
                      alpha=0.55 if filled else 1.0, histtype="bar" if filled else "step", lw=1.6)  # fmt: skip
        log_axis(axes.xaxis, low / 2 if nothing else low, high)
        edge = " (left: 0)" if nothing else ""
        axes.set(xlabel=f"nearest distance, {space.name[:24]}{edge}", ylabel="share of images")
        axes.legend(loc="upper left")
        return figure
