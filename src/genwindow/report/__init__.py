"""Figures, tables, sentences and the self-contained page that show runs to people; the only user of matplotlib."""

from genwindow.report.audit import render_audit, write_audit
from genwindow.report.canvas import png, svg
from genwindow.report.comparisons import collapse_figure, summary_figure, timescale_figure, windows_figure
from genwindow.report.expectation import expectation_sentences
from genwindow.report.features import FeaturesAtSize, features_figure
from genwindow.report.figures import loss_figure, ratio_figure, window_figure
from genwindow.report.forecast import forecast_figure, forecasts_figure, write_forecast
from genwindow.report.limits import limits
from genwindow.report.model_card import model_card
from genwindow.report.page import PageContent, render_page, write_page
from genwindow.report.palette import ordered_colours, size_colours
from genwindow.report.panels import Line, Panel, Times, panels_figure, plane_figure
from genwindow.report.study import StudyPage, Tile, render_study, write_study
from genwindow.report.tables import result_rows, text_table
from genwindow.report.theory import (
    bulks_figure,
    curves_figure,
    phase_figure,
    spectrum_figure,
    theory_times_figure,
    training_figure,
)
from genwindow.report.watch import watch_page, watch_text
from genwindow.report.words import findings, headline, scaling_sentence

__all__ = [
    "watch_page",
    "watch_text",
    "model_card",
    "render_audit",
    "write_audit",
    "FeaturesAtSize",
    "Line",
    "Panel",
    "StudyPage",
    "Tile",
    "Times",
    "ordered_colours",
    "panels_figure",
    "plane_figure",
    "size_colours",
    "PageContent",
    "bulks_figure",
    "collapse_figure",
    "curves_figure",
    "features_figure",
    "findings",
    "headline",
    "limits",
    "forecast_figure",
    "forecasts_figure",
    "loss_figure",
    "expectation_sentences",
    "phase_figure",
    "png",
    "ratio_figure",
    "render_page",
    "render_study",
    "result_rows",
    "scaling_sentence",
    "spectrum_figure",
    "summary_figure",
    "svg",
    "text_table",
    "theory_times_figure",
    "timescale_figure",
    "training_figure",
    "window_figure",
    "windows_figure",
    "write_forecast",
    "write_page",
    "write_study",
]
