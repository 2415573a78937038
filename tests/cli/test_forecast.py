import json

import pytest

from genwindow import Estimate
from genwindow.cli.main import main
from genwindow.runs import DataSettings, RunConfig, RunFolder, TrainSettings


@pytest.fixture
def pilots(tmp_path):
    """Run folders as a sweep leaves them, with times that grow as n^1.2."""
    for n in (16, 32, 64):
        folder = RunFolder(tmp_path / "pilots" / f"n{n}")
        folder.begin(RunConfig(data=DataSettings("digits", n), train=TrainSettings(steps=4000)))
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
    assert main(["forecast", "--pilots", str(pilots), "--n", "512", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tau_mem"]["status"] == "found"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n", "512"], "pilots"),
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
