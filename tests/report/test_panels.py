import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.analysis import Cell, fit_power_law, measured_plane
from genwindow.report import Line, Panel, Times, panels_figure, plane_figure, svg


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
