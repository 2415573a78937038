"""Figures of the theory: the bulks of the spectrum, learning curves and their collapse, the phase plane, training.

Each function returns a matplotlib `Figure` and draws what it is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from genwindow.curve import short
from genwindow.report.canvas import log_axis, new_figure, note, span, style
from genwindow.report.palette import COPY, GENERATE, INK, MUTED, ordered_colours
from genwindow.theory import LearningCurves, PhasePlane, RandomFeatures, activation_name

TAU = "training time τ = steps × lr / d²"


def describe(model: RandomFeatures) -> str:
    """One line that names the model."""
    name = activation_name(model.activation)
    law = "" if model.covariance.text == "1 I" else f", {model.covariance.text}"
    return f"ψ_p = {model.psi_p:g}, ψ_n = {model.psi_n:g}, t = {model.t:g}, {name}{law}"


def spectrum_figure(model: RandomFeatures, eigenvalues: NDArray[np.float64] | None = None, p: int = 0) -> Figure:
    """Density of every bulk of U in its own panel, with the histogram of a sampled matrix's eigenvalues.

    Args:
        model: the theory.
        eigenvalues: (r,) of one sampled U, those of the atom left out; None draws the theory alone.
        p: its number of features, which scales the histogram.
    """
    bulks = model.bulks
    shown = bulks if len(bulks) <= 4 else (*bulks[:2], *bulks[-2:])
    with style():
        figure = new_figure(8.8, 3.6)
        axes = figure.subplots(1, len(shown), squeeze=False)[0]
        colours = ordered_colours(len(shown), "plasma", 0.05, 0.7)
        for panel, bulk, colour in zip(axes, shown, colours, strict=True):
            middle, half = (bulk.low + bulk.high) / 2, (bulk.high - bulk.low) / 2
            lam = middle - half * np.cos(np.linspace(0, np.pi, 400))
            panel.plot(lam, model.density(lam), color=colour)
            if eigenvalues is not None:
                inside = eigenvalues[(eigenvalues > bulk.low - half / 2) & (eigenvalues < bulk.high + half / 2)]
                bins = min(40, max(8, int(np.sqrt(len(inside)))))
                height, edges = np.histogram(inside, bins) if len(inside) else (np.zeros(1), np.array([0.0, 1.0]))
                panel.stairs(height / (p * np.diff(edges)), edges, fill=True, color=colour, alpha=0.25, lw=0)
            panel.set_title(f"share {bulk.mass * model.psi_p:.4g}/ψ_p", fontsize=10.5)
            panel.set_xlim(bulk.low - 0.08 * half, bulk.high + 0.08 * half)
            panel.set_ylim(bottom=0)
            panel.locator_params(axis="x", nbins=4)
            panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
        axes[0].set_ylabel("density of eigenvalues")
        figure.supxlabel("eigenvalue λ of U", fontsize=11)
        atom = f", atom of mass {model.atom.mass:.3g} at {model.atom.location:.3g}" if model.atom.mass else ""
        figure.suptitle(describe(model) + atom, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
        return figure


def bulks_figure(named: Sequence[tuple[str, LearningCurves]], model: RandomFeatures) -> Figure:
    """Training and test loss when only the faster bulks are trained, one line for each further bulk.

    Args:
        named: what is trained and the curves, fewest bulks first.
        model: gives the title and the loss of the true score.
    """
    with style():
        figure = new_figure(8.8, 3.9)
        panels = figure.subplots(1, 2)
        colours = ordered_colours(len(named), "plasma", 0.05, 0.7)[::-1]
        for axes, part in zip(panels, ("train", "test"), strict=True):
            for (name, curves), colour in zip(named, colours, strict=True):
                curve = getattr(curves, part)
                axes.plot(curve.tau, curve.value, color=colour, label=name)
            log_axis(axes.xaxis, *span([named[0][1].test.tau]))
            axes.set(xlabel=TAU)
        panels[0].set_title("training loss", fontsize=11)
        panels[1].set_title("test loss", fontsize=11)
        panels[1].set_ylim(min(float(c.test.value.min()) for _, c in named) - 0.01, 1.12)
        panels[0].set_ylabel("denoising loss")
        panels[0].legend(loc="lower left", title="bulks trained")
        figure.suptitle(describe(model), x=0.01, ha="left", fontsize=11.5, fontweight="bold")
        return figure


def curves_figure(runs: Sequence[tuple[RandomFeatures, LearningCurves]]) -> Figure:
    """Losses for several psi_n (left), and their gap against tau/psi_n (right), where curves fall on one another."""
    with style():
        figure = new_figure(8.8, 3.9)
        left, right = figure.subplots(1, 2)
        colours = ordered_colours(len(runs))
        times = [curves.test.tau for _, curves in runs]
        for (model, curves), colour in zip(runs, colours, strict=True):
            left.plot(curves.test.tau, curves.test.value, color=colour, label=f"ψ_n = {model.psi_n:g}")
            left.plot(curves.train.tau, curves.train.value, color=colour, ls="--", lw=1.5)
            keep = curves.gap.value > 1e-7
            right.plot(curves.gap.tau[keep] / model.psi_n, curves.gap.value[keep], color=colour)
        log_axis(left.xaxis, *span(times))
        floors = [c.floor for _, c in runs if c.floor is not None]
        if floors:
            left.axhline(min(floors), color=MUTED, lw=1, ls=":")
        left.set_ylim(min([*floors, *(c.train.value.min() for _, c in runs)]) - 0.01, 1.12)
        left.set(xlabel=TAU, ylabel="denoising loss", title="test (solid) and training loss (dashed)")
        left.legend(loc="lower left")
        log_axis(right.xaxis, *span([t / m.psi_n for t, (m, _) in zip(times, runs, strict=True)]))
        log_axis(right.yaxis, 1e-5, max(1e-4, *(float(c.gap.value.max()) for _, c in runs)))
        right.set(xlabel="τ / ψ_n", ylabel="test − training loss", title="collapse of the gap")
        return figure


def theory_times_figure(
    psi_n: Sequence[float], named: Sequence[tuple[str, Sequence[float | None]]], title: str
) -> Figure:
    """Times against psi_n on logarithmic axes, with a line of slope 1; None leaves a point out."""
    with style():
        figure = new_figure(4.6, 3.8)
        axes = figure.subplots()
        looks = {"tau_gen": (GENERATE, "o"), "tau_mem": (COPY, "D"), "best stop": (INK, "s")}
        drawn: list[NDArray[np.float64]] = []
        for name, values in named:
            points = np.array([(n, v) for n, v in zip(psi_n, values, strict=True) if v is not None])
            if not len(points):
                continue
            colour, marker = looks.get(name, (MUTED, "."))
            label = name.replace("tau_", "τ_")
            axes.plot(points[:, 0], points[:, 1], color=colour, marker=marker, ms=5, lw=1.5, label=label)
            drawn.append(points[:, 1])
        if not drawn:
            note(axes, "no time was reached")
            return figure
        log_axis(axes.xaxis, min(psi_n), max(psi_n), pad=1.2)
        low, high = span(drawn)
        log_axis(axes.yaxis, low, high, pad=2)
        guide = np.array([min(psi_n), max(psi_n)])
        axes.plot(guide, drawn[-1][0] * guide / guide[0], color=MUTED, lw=1, ls=":", label="slope 1")
        axes.set(xlabel="samples per dimension ψ_n", ylabel="training time τ", title=title)
        axes.legend(loc="upper left")
        return figure


def phase_figure(plane: PhasePlane) -> Figure:
    """Gap and excess test loss over (psi_n, psi_p), with the boundary at which the gap passes its level."""
    with style():
        figure = new_figure(8.8, 3.9)
        panels = figure.subplots(1, 2, sharey=True)
        when = "τ = ∞" if np.isinf(plane.tau) else f"τ = {short(plane.tau)}"
        titles = (f"test − training loss at {when}", f"test loss above the best possible, {when}")
        for axes, values, title in zip(panels, (plane.gap, plane.excess), titles, strict=True):
            positive = np.maximum(values, 1e-4)
            norm = LogNorm(1e-4, max(1.0, float(np.nanmax(positive))))
            mesh = axes.pcolormesh(plane.psi_n, plane.psi_p, positive, norm=norm, cmap="cividis", shading="nearest")
            figure.colorbar(mesh, ax=axes, pad=0.02)
            _draw_boundary(axes, plane)
            log_axis(axes.xaxis, float(plane.psi_n[0]), float(plane.psi_n[-1]), pad=1.25)
            log_axis(axes.yaxis, float(plane.psi_p[0]), float(plane.psi_p[-1]), pad=1.25)
            axes.grid(visible=False)
            axes.set(xlabel="samples per dimension ψ_n")
            axes.set_title(title, fontsize=11)
        panels[0].set_ylabel("features per dimension ψ_p")
        return figure


def _draw_boundary(axes: Axes, plane: PhasePlane) -> None:
    points = [(e.value, p) for e, p in zip(plane.boundary, plane.psi_p, strict=True) if e.value is not None]
    if points:
        n, p = zip(*points, strict=True)
        axes.plot(n, p, color="white", lw=3.5)
        axes.plot(n, p, color=COPY, lw=2, marker="o", ms=4, label=f"gap = {plane.level:g}")
        legend = axes.legend(loc="lower right", frameon=True, framealpha=0.85)
        legend.set_zorder(5)


def training_figure(
    theory: LearningCurves, closed: LearningCurves, descent: LearningCurves, adam: LearningCurves, title: str
) -> Figure:
    """Limit theory, closed form at finite d and trained weights on one axis; weights trained by Adam on another.

    Args:
        theory: the limit, along training time.
        closed: gradient descent of one draw in closed form, along training time.
        descent: the same draw trained with fresh noise, along training time.
        adam: trained by Adam, along steps.
        title: what the data are.
    """
    with style():
        figure = new_figure(8.8, 3.9)
        left, right = figure.subplots(1, 2, sharey=True)
        ways = (("limit theory", theory, "-", 1.8), ("closed form, this draw", closed, (0, (1, 1.2)), 2.6))
        for _, curves, dashes, width in ways:
            left.plot(curves.test.tau, curves.test.value, color=COPY, ls=dashes, lw=width)
            left.plot(curves.train.tau, curves.train.value, color=GENERATE, ls=dashes, lw=width)
        for axes, curves in ((left, descent), (right, adam)):
            for curve, colour in ((curves.test, COPY), (curves.train, GENERATE)):
                axes.plot(curve.tau, curve.value, color=colour, ls="" if axes is left else "-", marker="o", ms=3.2)
        handles = [Line2D([], [], color=INK, ls=dashes, lw=width) for _, _, dashes, width in ways]
        handles.append(Line2D([], [], color=INK, ls="", marker="o", ms=3.2))
        left.legend(handles, [name for name, *_ in ways] + ["trained, fresh noise"], loc="lower left")
        colours = [Line2D([], [], color=COPY), Line2D([], [], color=GENERATE)]
        right.legend(colours, ["test loss", "training loss"], loc="lower left")
        log_axis(left.xaxis, *span([theory.test.tau]))
        log_axis(right.xaxis, *span([adam.test.tau]))
        top = max(float(c.test.value.max()) for c in (closed, adam))
        bottom = min(float(c.train.value.min()) for c in (closed, adam))
        left.set_ylim(bottom - 0.01, min(top, 1.5) + 0.02)
        left.set(xlabel=TAU, ylabel="denoising loss")
        left.set_title("gradient descent", fontsize=11)
        right.set_xlabel("steps")
        right.set_title("Adam", fontsize=11)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
        return figure
