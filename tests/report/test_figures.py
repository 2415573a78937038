from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from PIL import Image

from genwindow import GenwindowError
from genwindow.report import (
    collapse_figure,
    loss_figure,
    png,
    ratio_figure,
    summary_figure,
    svg,
    timescale_figure,
    window_figure,
    windows_figure,
)
from genwindow.report.figures import ranks, spread
from genwindow.report.sections import figure_groups


def every_figure(page):
    yield from (window_figure(run) for run in page.runs)
    yield from (loss_figure(run) for run in page.runs)
    yield ratio_figure(page.runs)
    yield windows_figure(page.runs)
    yield timescale_figure(page.runs, page.scaling)
    yield collapse_figure(page.runs, page.collapsed)
    yield summary_figure(page.runs, page.scaling)


def line_of(axes, value_of):
    """The drawn line that runs through exactly these values."""
    return [line for line in axes.lines if np.array_equal(np.asarray(line.get_ydata()), value_of)]


def test_roundtrip_every_figure_is_well_formed_svg(mixed, content):
    for figure in every_figure(content(mixed)):
        root = ElementTree.fromstring(svg(figure))
        assert root.tag.endswith("svg")
        assert "http" not in "".join(root.itertext())


def test_roundtrip_the_same_figure_gives_the_same_bytes(four):
    assert svg(window_figure(four[0])) == svg(window_figure(four[0]))
    assert svg(window_figure(four[0])) != svg(window_figure(four[1]))


def test_limit_drawing_leaves_no_trace_in_matplotlib(four):
    before = dict(matplotlib.rcParams)
    svg(window_figure(four[0]))
    assert dict(matplotlib.rcParams) == before


def test_limit_the_report_needs_no_global_figures():
    code = "import sys, genwindow.report; print('matplotlib.pyplot' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"


def test_window_figure_draws_the_measured_curves_and_both_times(four):
    run = four[3]
    quality, copying = window_figure(run).axes
    assert line_of(quality, run.curve("frechet").value)
    assert line_of(copying, run.curve("f_mem").value)
    upright = {float(line.get_xdata()[0]) for line in copying.lines if len(set(line.get_xdata())) == 1}
    assert {run.estimates["tau_gen"].value, run.estimates["tau_mem"].value} <= upright


def test_window_figure_hatches_a_closed_window_and_fills_an_open_one(four):
    closed, opened = (window_figure(run).axes[0].patches[0] for run in (four[0], four[3]))
    assert closed.get_hatch()
    assert not opened.get_hatch()
    left, right = opened.get_x(), opened.get_x() + opened.get_width()
    assert left == pytest.approx(four[3].estimates["tau_gen"].value)
    assert right == pytest.approx(four[3].estimates["tau_mem"].value)


def test_window_figure_says_what_was_not_reached(mixed):
    written = [text.get_text() for axes in window_figure(mixed[4]).axes for text in axes.texts]
    assert "τ_mem not reached →" in written


def test_loss_figure_draws_one_pair_of_lines_for_each_diffusion_time(four):
    axes = loss_figure(four[0]).axes[0]
    assert len(axes.lines) == 10
    for name in ("train_loss", "heldout_loss"):
        for curve in four[0].curves_named(name):
            assert len(line_of(axes, curve.value)) == 1


def test_timescale_figure_shows_bounds_as_open_markers_with_arrows(mixed, content):
    page = content(mixed)
    axes = timescale_figure(page.runs, page.scaling).axes[0]
    opened = [line for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert {float(line.get_ydata()[0]) for line in opened} == {r.estimates["tau_mem"].low for r in mixed[4:6]}


def test_agrees_with_the_fit_and_slope_one_guide(four, content):
    page = content(four)
    axes = timescale_figure(page.runs, page.scaling).axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    slope = {
        name: np.diff(np.log(lines[name].get_ydata()))[0] / np.diff(np.log(lines[name].get_xdata()))[0]
        for name in ("fit τ_mem ∝ n^1.00", "slope 1")
    }
    assert slope["fit τ_mem ∝ n^1.00"] == pytest.approx(page.scaling.exponent.value)
    assert slope["slope 1"] == pytest.approx(1)


def test_collapse_figure_draws_the_curves_it_is_given(four, content):
    page = content(four)
    lines = collapse_figure(page.runs, page.collapsed).axes[0].lines
    for line, curve in zip(lines, page.collapsed.curves, strict=True):
        assert np.array_equal(line.get_xdata(), curve.tau)


def test_rejects_a_collapse_of_other_runs(four, content):
    with pytest.raises(GenwindowError, match="one curve for each run with f_mem, got 4 for 3 runs"):
        collapse_figure(four[1:], content(four).collapsed)


def test_limit_spread_moves_only_what_lies_too_close():
    assert spread([0.1, 0.5, 0.9], 0.1) == pytest.approx([0.1, 0.5, 0.9])
    pushed = spread([0.5, 0.5, 0.52], 0.1)
    assert np.diff(pushed).min() >= 0.1 - 1e-12
    assert spread([], 0.1) == []


def test_roundtrip_png_has_the_size_of_the_figure_and_keeps_its_labels(tmp_path, four, content):
    page = content(four)
    figure = summary_figure(page.runs, page.scaling)
    before = svg(figure)
    png(figure, tmp_path / "summary.png", dpi=100)
    with Image.open(tmp_path / "summary.png") as image:
        assert image.size == pytest.approx(tuple(figure.get_size_inches() * 100), abs=1)  # a canvas has whole pixels
    assert svg(figure) == before
    assert [p.name for p in tmp_path.iterdir()] == ["summary.png"]


def test_rejects_an_unwritable_png(tmp_path, four):
    (tmp_path / "taken").mkdir()
    with pytest.raises(GenwindowError, match="taken"):
        png(window_figure(four[0]), tmp_path / "taken")


def test_figures_of_runs_of_one_size_have_different_titles(four):
    run = four[1]
    net = dataclasses.replace(run.config.net, width=8)
    other = dataclasses.replace(run, config=dataclasses.replace(run.config, net=net))
    assert ranks((run, other, four[2])) == (0, 1, 0)
    for group in figure_groups((run, other), None, None, (0, 1))[:2]:
        titles = [re.findall(r"n%20%3D%2064[^<%]*|n = 64[^<%]*", p.uri)[0] for p in group.pictures]
        assert len(set(titles)) == 2, titles


def test_a_long_title_is_written_in_lines_that_fit(four):
    figure = window_figure(four[0], "n = 128, mixture, equal classes, heavy-tails, seed = 0")
    figure.draw_without_rendering()
    box = figure.axes[0]._left_title.get_window_extent()
    assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1 and "\n" in figure.axes[0].get_title(loc="left")


def test_the_legend_of_the_losses_does_not_lie_on_the_title(four):
    figure = loss_figure(four[0], "n = 32, a long name of a run, seed = 0")
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().y1 <= axes._left_title.get_window_extent().y0
