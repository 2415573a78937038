"""Figures, tables, sentences and the self-contained page that show runs to people; the only user of matplotlib."""

from genwindow.report.canvas import png, svg
from genwindow.report.comparisons import collapse_figure, summary_figure, timescale_figure, windows_figure
from genwindow.report.figures import loss_figure, ratio_figure, window_figure
from genwindow.report.limits import limits
from genwindow.report.page import PageContent, render_page, write_page
from genwindow.report.tables import result_rows, text_table
from genwindow.report.words import findings, headline, scaling_sentence

__all__ = [
    "PageContent",
    "collapse_figure",
    "findings",
    "headline",
    "limits",
    "loss_figure",
    "png",
    "ratio_figure",
    "render_page",
    "result_rows",
    "scaling_sentence",
    "summary_figure",
    "svg",
    "text_table",
    "timescale_figure",
    "window_figure",
    "windows_figure",
    "write_page",
]
