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
    assert "below the smallest pilot" not in printed
    assert main(["forecast", "--pilots", str(pilots), "--n", "512", "--steps", "10", "--pace", "false"]) == 0
    assert "images. That is below the smallest pilot, 16, where the line was not looked at." in capsys.readouterr().out
    kept = json.loads((out / "forecast.json").read_text())
    assert kept["n"] == 512 and kept["images_needed"] > 64
    assert (out / "forecast.png").read_bytes().startswith(b"\x89PNG")
    page = (out / "forecast.html").read_text()
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "") and "<script" not in page
    assert "odds of 3 to 1, and from the back-test" in page
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


SMALL = [
    "--data.n=32", "--data.heldout=40", "--data.reference=40", "--net.width=16", "--net.blocks=1", "--train.steps=20",
    "--train.batch=8", "--measure.first=10", "--measure.samples=32", "--measure.sampler_steps=4",
    "--measure.loss_images=8", "--measure.loss_draws=1",
]  # fmt: skip


def kept_forecast(folder, **changed):
    tau = Estimate(5000.0, 4000.0, 6000.0, "found", "power law", "")
    path = folder / "forecast.json"
    path.write_text(json.dumps({"n": 32, "batch": 8, "width": None, "tau_mem": tau.to_json(), **changed}))
    return str(path)


def test_a_run_starts_from_a_forecast_and_its_settings_say_so(pilots, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["forecast", "--pilots", str(pilots), "--n", "512", "--pace", "false", "--out", str(out)]) == 0
    file, full = str(out / "forecast.json"), ["--data.n=512", "--train.batch=16", "--dry-run"]
    capsys.readouterr()
    for other in ("--train.lr=0.3", "--net.blocks=6", "--diffusion.prediction=data"):
        assert main(["train", *full, other, "--forecast", file]) == 2
        name, value = other.removeprefix("--").split("=")
        said = capsys.readouterr().err
        assert f"{file}: a forecast cannot be carried over to other settings: {name} (" in said
        assert f"in the pilots, {value} in the full run)" in said
    assert main(["train", *full, "--forecast", file, "--measure.samples=300"]) == 0
    tau = prior_from_json(json.loads((out / "forecast.json").read_text()))
    assert json.loads(capsys.readouterr().out)["measure"]["forecast"] == [tau.low, tau.value, tau.high]

    verdicts = {}
    for name, more in {"told": ["--forecast", kept_forecast(tmp_path)], "plain": []}.items():
        assert main(["train", *SMALL, "--out", str(tmp_path / name), *more]) == 0
        verdicts[name] = RunFolder(tmp_path / name).load().verdict.tau_mem
    assert json.loads((tmp_path / "told" / "config.json").read_text())["measure"]["forecast"] == [4000, 5000, 6000]
    assert verdicts["told"].value == pytest.approx(5000, rel=0.05)
    assert verdicts["plain"].value < 1000  # of 20 steps alone


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        ("{", "it is no JSON"),
        (b"\xff", "it is no JSON"),
        ("[1, 2]", "this is no forecast: it has no tau_mem"),
        ('{"tau_mem": {"value": 3}}', "Estimate from JSON: low is missing"),
        ({"tau_mem": Estimate(None, 9.0, None, "not_reached", "power law").to_json()}, "has no value with an interval"),
        (
            {"tau_mem": Estimate(5.0, 0.0, 9.0, "found", "power law").to_json()},
            "three times above 0, increasing, got (0.0,",
        ),
        ({"settings": [1]}, "settings must be a table, got [1]"),
        ({"settings": {"train.lr": "7", "gone": "1"}}, "other settings: train.lr (7 in the pilots, 0.001 in the full"),
        ({"n": 64}, "made for another run: n = 64 there, 32 here"),
        ({"batch": 16, "width": 8}, "another run: batch = 16 there, 8 here, width = 8 there, 16 here"),
    ],
)
def test_a_forecast_that_is_none_or_another_runs_is_one_line_and_leaves_nothing(tmp_path, capsys, content, message):
    path = tmp_path / "forecast.json"
    if isinstance(content, dict):
        kept_forecast(tmp_path, **content)
    elif content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["train", *SMALL, "--out", str(tmp_path / "run"), "--forecast", str(path)]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow")]
    assert len(lines) == 1 and message in lines[0] and not (tmp_path / "run").exists()
