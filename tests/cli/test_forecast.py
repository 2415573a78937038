import json

import pytest

from genwindow import Estimate, GenwindowError
from genwindow.analysis.forecast import prior_from_json
from genwindow.cli.forecast_plan import parse_duration
from genwindow.cli.main import main
from genwindow.runs import DataSettings, RunConfig, RunFolder, TrainSettings


@pytest.fixture
def pilots(tmp_path):
    """Run folders as a sweep leaves them, with times that grow as n^1.2."""
    for n in (16, 32, 64):
        folder = RunFolder(tmp_path / "pilots" / f"n{n}")
        folder.begin(RunConfig(data=DataSettings("digits", n), train=TrainSettings(steps=4000, batch=16)))
        tau = 12 * n**1.2
        estimate = Estimate(tau, tau / 1.1, tau * 1.1, "found", "threshold")
        folder.write("estimates", {"tau_mem": estimate.to_json()})
        folder.write("status", {"state": "done", "step": 4000, "seconds": 20.0})
    return tmp_path / "pilots"


def test_pilots_give_a_forecast_with_its_files(pilots, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["forecast", "--pilots", str(pilots), "--n", "512", "--steps", "9000", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "At n = 512 copying is expected" in printed and "To train 9000 steps" in printed
    kept = json.loads((out / "forecast.json").read_text())
    assert kept["n"] == 512 and kept["images_needed"] > 64
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "forecast.html").read_text()
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "") and "<script" not in page
    assert "copying begins" in page and "Both lines" in page and page.count("<tr>") == (1 + 2) + (1 + 3)
    assert prior_from_json(kept) == Estimate.from_json(kept["tau_mem"]) and kept["hours"]["tau_mem"]["value"] > 0
    assert main(["forecast", "--pilots", str(pilots), "--n", "512", "--json", "--pace", "false"]) == 0
    assert json.loads(capsys.readouterr().out)["tau_mem"]["status"] == "found"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "512"], "pilots"),
        (["--pilots", "PILOTS"], "--n must say how many"),
        (["--pilots", "PILOTS", "--n", "32"], "smaller than the largest pilot's 64"),
        (["--pilots", "PILOTS", "--target", "PILOTS/../none.yaml"], "cannot be read"),
        (["--pilots", "PILOTS", "--n", "512", "--width", "64"], "pilots of several widths"),
        (["plan", "--data", "digits", "--budget=-2h"], "--budget must be a time above 0"),
        (["plan", "--data", "digits", "--budget", "0s"], "--budget must be a time above 0"),
        (["plan", "--data", "digits", "--budget", "2h", "--data.n", "64"], "say --n for the full run"),
        (["plan", "--data", "digits", "--budget", "2h", "--train.steps=5"], "--train.steps is the plan's to choose"),
        (["plan", "--data", "digits", "--budget", "2h", "--n", "20"], "need three sizes up to that of the full run"),
        (["plan", "--data", "nowhere/", "--budget", "2h"], "nowhere"),
        (["plan", "--data", "mixture", "--budget", "2h"], "--n must say how many images of mixture"),
        (["--pilots", "nowhere", "--n", "512"], "nowhere is no folder"),
        (["--pilots", "PILOTS/n16", "--n", "512"], "two pilots at least, got 1"),
        (["--pilots", "PILOTS", "--n", "0"], "n must be at least 1"),
        (["--pilots", "PILOTS", "--n", "512", "--steps", "0"], "--steps must be at least 1"),
    ],
)
def test_bad_input_is_one_line(pilots, capsys, arguments, message):
    assert main(["forecast", *(a.replace("PILOTS", str(pilots)) for a in arguments)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow")]
    assert len(lines) == 1 and message in lines[0]


SETTINGS = [
    "--data", "digits", "--data.heldout", "40", "--data.reference", "40", "--net.width", "16", "--net.blocks", "1",
    "--train.batch", "0", "--measure.first", "10", "--measure.per_octave", "1", "--measure.samples", "16",
    "--measure.sampler_steps", "3", "--measure.loss_images", "8", "--measure.loss_draws", "1", "--executor", "inline",
]  # fmt: skip


def test_a_plan_is_said_and_nothing_written(tmp_path, capsys):
    out = tmp_path / "plan"
    assert main(["forecast", "plan", *SETTINGS, "--budget", "1m", "--out", str(out), "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "The full run: n = 1717" in printed and "2 pilots with n = 16" in printed and not out.exists()


def test_a_budget_too_small_says_what_would_do_and_keeps_the_pilots(tmp_path, capsys):
    out = tmp_path / "plan"
    assert main(["forecast", "plan", *SETTINGS, "--budget", "2s", "--out", str(out)]) == 2
    last = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow forecast:")]
    assert len(last) == 1 and "no forecast yet; --budget" in last[0] and "goes on with them" in last[0]
    assert len(list((out / "pilots").glob("n16-*"))) == 2 and not (out / "forecast.json").exists()
    assert main(["forecast", "plan", *SETTINGS, "--budget", "2s", "--out", str(out), "--n", "99"]) == 2
    assert "holds a plan with other settings (n: 99 against 1717)" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("1.5h", 5400)])
def test_closed_form_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "two hours", "5", "-1h", "h"])
def test_rejects_what_is_no_time(text):
    with pytest.raises(GenwindowError, match="must be a time above 0"):
        parse_duration(text)
