import numpy as np

from genwindow.curve import Curve, Estimate
from genwindow.monitor.verdict import Verdict, cannot_tell
from genwindow.report import watch_page, watch_text
from genwindow.report.study import render_study
from genwindow.report.watch import spark
from genwindow.runs.watched import Watched

MEM = Estimate(5000.0, 4000.0, 8000.0, "found", "outlook", "")
LEFT = Estimate(3400.0, 2400.0, 6400.0, "found", "outlook", "")


def watched(tmp_path, status="running", name="mine"):
    tau = np.array([100.0, 400.0, 1600.0])
    shares = np.array([0.0, 0.004, 0.02])
    curves = (
        Curve("f_mem", tau, shares, shares * 0, shares + 0.01, t=None),
        Curve("frechet", tau, np.array([9.0, 3.0, 2.5]), np.array([8.0, 2.8, 2.4]), np.array([10.0, 3.2, 2.6])),
        Curve("heldout_loss", tau, np.array([0.5, 0.3, 0.4]), t=50.0),
    )
    verdicts = (
        cannot_tell(100, "Too early."),
        Verdict("in_window", "In the window: samples are good.", False, 400, MEM, LEFT, 0.01),
        Verdict("closing", "Stop here: copying is near.", True, 1600, MEM, LEFT, 0.8),
    )
    floor = Estimate(0.001, 0.0, 0.01, "found", "binomial", "")
    return Watched(tmp_path / name, status, 1700, 4000, curves, {"floor": floor, "tau_gen": MEM}, verdicts)


def test_the_page_renews_itself_while_training_goes_on_and_says_the_verdict(tmp_path):
    page = render_study(watch_page(watched(tmp_path)))
    assert '<meta http-equiv="refresh" content="15">' in page and "Stop here: copying is near." in page
    assert "closing, stop" in page and page.index("1.6k") < page.index("in the window")  # the last row comes first
    done = render_study(watch_page(watched(tmp_path, "done")))
    assert 'http-equiv="refresh"' not in done


def test_a_folder_with_markup_in_its_name_is_text(tmp_path):
    page = render_study(watch_page(watched(tmp_path, name="<b>x")))
    assert "<b>x" not in page and "&lt;b&gt;x" in page


def test_the_terminal_shows_verdict_curves_and_floor_within_its_width(tmp_path):
    text = watch_text(watched(tmp_path), 80)
    assert "CLOSING. Stop here" in text and "step 1.7k of 4k" in text and "real images 0.1 %" in text
    assert "heldout_loss t=50" in text and all(len(line) <= 80 for line in text.splitlines()[1:])


def test_nothing_measured_yet_is_said(tmp_path):
    empty = Watched(tmp_path, "running", 3, None, (), {}, ())
    assert "Nothing was measured yet." in watch_text(empty)
    assert "Nothing was measured yet." in render_study(watch_page(empty))


def test_closed_form_bars():
    assert spark(np.array([0.0, 1.0, 7.0]), 3) == "▁▂█"
    assert spark(np.array([2.0, 2.0]), 9) == "▁▁" and spark(np.arange(9.0), 2) == "▁█"
