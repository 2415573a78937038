import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.analysis import Cell, fit_power_law, measured_plane
from genwindow.report import Line, Panel, Times, panels_figure, plane_figure, svg
from genwindow.report.canvas import log_axis, new_figure


def found(value):
    return Estimate(value, value / 1.2, value * 1.2, "found", "test")


LATE = Estimate(None, 900.0, None, "not_reached", "test")
EARLY = Estimate(None, None, 5.0, "below_range", "test")
UNKNOWN = Estimate(None, None, None, "ill_posed", "test")


def test_lines_times_bounds_fit_and_guide_are_drawn():
    curve = Curve("f_mem", np.array([1.0, 10, 100]), np.array([0, 0.2, 0.9]))
    times = [found(10.0), found(20.0), LATE, EARLY, UNKNOWN]
    fit = fit_power_law([8, 16, 32, 64, 128], times)
    figure = panels_figure(
        [
            Panel("copies", "steps", "f_mem", [Line("n = 8", curve, "#112233")], shares=True),
            Panel("times", "n", "steps", [Times("tau", [8, 16, 32, 64, 128], times, "#112233", fit=fit)], guide=1.0),
            Panel("nothing", "n", "steps", [Times("tau", [8], [UNKNOWN], "#112233")]),
        ]
    )
    left, right, empty = figure.axes
    assert left.get_ylim()[1] == pytest.approx(1.05) and len(left.lines) == 1
    assert right.get_xscale() == right.get_yscale() == "log"
    text = svg(figure)
    assert "slope 1" in text and "nothing measured yet" in text and "n = 8" in text


@pytest.mark.parametrize(("highest", "top"), [(0.05, 0.1), (0.29, 0.5), (0.6, 1.0), (1.0, 1.0)])
def test_a_share_axis_ends_where_the_data_do(highest, top):
    curve = Curve("f_mem", np.array([1.0, 10]), np.array([0, highest]))
    (axes,) = panels_figure([Panel("t", "x", "y", [Line("", curve, "#000000")], shares=True, top=None)], 1).axes
    assert axes.get_ylim()[1] == pytest.approx(1.05 * top) and axes.get_ylim()[1] > highest


def test_arrows_have_a_place_in_the_legend_and_their_tips_on_the_axes():
    (axes,) = panels_figure([Panel("t", "n", "y", [Times("late", [8, 16], [LATE, LATE], "#112233")])], 1).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["late"]
    assert axes.get_ylim()[1] > 900 * 1.45


def test_values_that_are_not_positive_do_not_break_a_logarithmic_axis():
    curve = Curve("loss", np.array([0.0, 1, 2]), np.array([0.5, 0.0, 0.25]))
    assert "x" in svg(panels_figure([Panel("t", "x", "y", [Line("", curve, "#000000")])]))


def test_every_cell_and_every_kind_of_boundary_is_drawn():
    cells = [Cell(n, 8.0, 1000.0, found(10.0), found(2.0 * n)) for n in (32, 64)]
    never = Estimate(None, 1000.0, None, "not_reached", "t")
    cells += [Cell(128, 8.0, 1000.0, found(10.0), never), Cell(32, 4.0, 1000.0, UNKNOWN, never)]
    text = svg(plane_figure(measured_plane(cells, (8.0,)), 8.0))
    for words in ("copies", "never copied", "not known", "interpolated", "beyond the sizes"):
        assert words in text, words


@pytest.mark.parametrize(("low", "high"), [(306, 419), (250, 260), (1.1, 1.9), (80, 120), (3, 11), (35, 95), (1, 1e7)])
def test_a_logarithmic_axis_has_two_numbers_at_least_and_none_on_another(low, high):
    figure = new_figure(4.4, 2.0)
    axes = figure.subplots()
    log_axis(axes.yaxis, low, high)
    figure.draw_without_rendering()
    bottom, top = axes.get_ylim()
    inside = [label for label in axes.yaxis.get_ticklabels() if bottom <= label.get_position()[1] <= top]
    heights = sorted((label.get_window_extent().y0, label.get_window_extent().y1) for label in inside)
    assert len({label.get_text() for label in inside}) == len(inside) >= 2
    assert all(lower[1] <= upper[0] for lower, upper in zip(heights, heights[1:], strict=False))


def test_bars_end_on_the_axes_or_at_an_arrowhead():
    near = Estimate(300.0, 150.0, 600.0, "found", "test")
    far = Estimate(300.0, 0.0, 1e6, "found", "test")
    for time, marks in ((near, 0), (far, 2)):
        (axes,) = panels_figure([Panel("t", "n", "y", [Times("tau", [8], [time], "#112233")])], 1).axes
        low, high = axes.get_ylim()
        assert low < 150 and high > 300
        cut = [line for line in axes.lines if line.get_transform() == axes.get_xaxis_transform()]
        assert len(cut) == marks and (marks or high > 600)


def test_the_legends_of_the_plane_are_inside_the_figure():
    cells = [Cell(n, w, 20_000.0, found(10.0), found(2.0 * n)) for n in (32, 64, 128) for w in (8.0, 16.0)]
    figure = plane_figure(measured_plane(cells, (4.0, 8.0, 16.0)), 8.0)
    figure.draw_without_rendering()
    assert len(figure.legends) == 2
    for legend in figure.legends:
        box = legend.get_window_extent()
        assert box.y0 >= 0 and box.x0 >= 0 and box.x1 <= figure.bbox.x1
        assert all(box.y1 <= axes.xaxis.label.get_window_extent().y0 for axes in figure.axes)
