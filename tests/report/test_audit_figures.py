import pytest

from genwindow.report.audit_figures import ratio_curves_figure, score_figure


@pytest.mark.parametrize("draw", [score_figure, ratio_curves_figure])
def test_legends_leave_the_thresholds_free(audited, draw):
    figure = draw(audited)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    assert axes.get_legend().get_window_extent().y1 <= figure.bbox.y1
