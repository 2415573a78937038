"""Figures of the theory: drawn from what they are given, with something on every axis."""

import numpy as np
import pytest

from genwindow.report import (
    bulks_figure,
    curves_figure,
    phase_figure,
    spectrum_figure,
    svg,
    theory_times_figure,
    training_figure,
)
from genwindow.theory import Covariance, GaussianEquivalent, RandomFeatures

MODEL = RandomFeatures(8, 3, 0.05)
CURVES = MODEL.learning_curves(np.geomspace(1, 1e4, 20))


def test_spectrum_has_a_panel_for_each_bulk_and_its_histogram():
    lam = GaussianEquivalent.draw(MODEL, 20, np.random.default_rng(0)).eigenvalues()
    figure = spectrum_figure(MODEL, lam, 160)
    assert len(figure.axes) == len(MODEL.support())
    for axes, (low, high) in zip(figure.axes, MODEL.support(), strict=True):
        line = axes.lines[0]
        assert line.get_xdata()[0] == pytest.approx(low) and line.get_xdata()[-1] == pytest.approx(high)
        assert line.get_ydata().max() > 0 and len(axes.patches) == 1
    assert len(spectrum_figure(MODEL).axes[0].patches) == 0


def test_many_bulks_are_cut_to_four_panels():
    model = RandomFeatures(64, 8, 0.01, covariance=Covariance.atoms([0.01, 0.1, 1, 10, 100]))
    assert len(model.support()) > 4 and len(spectrum_figure(model).axes) == 4


def test_curves_phase_times_bulks_and_training_draw():
    figures = [
        curves_figure([(MODEL, CURVES)]),
        bulks_figure([("fast", CURVES), ("all", CURVES)], MODEL),
        phase_figure(MODEL.phase([0.5, 4, 200], [2, 8], 100.0)),
        theory_times_figure([2, 4], [("tau_gen", [1.0, 1.1]), ("tau_mem", [3.0, None])], "times"),
        training_figure(CURVES, CURVES, CURVES, CURVES, "gaussian data"),
    ]
    for figure in figures:
        assert all(axes.has_data() for axes in figure.axes) and len(svg(figure)) > 5000


def test_times_that_were_never_reached_are_said():
    figure = theory_times_figure([2, 4], [("tau_mem", [None, None])], "times")
    assert "no time was reached" in svg(figure)
