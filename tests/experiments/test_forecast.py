import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate, GenwindowError
from genwindow.experiments.forecast import forecast_runs, images_needed
from genwindow.report import svg
from genwindow.runs import DataSettings, RunConfig, RunResult, TrainSettings


def run(n, tau, *, seed=0, gen=300.0, **train):
    config = RunConfig(data=DataSettings("digits", n, seed=seed), train=TrainSettings(seed=seed, **train))
    curve = Curve("f_mem", np.array([1.0, 4000.0]), np.array([0.0, 0.5]))
    estimates = {
        "tau_mem": tau if isinstance(tau, Estimate) else Estimate(tau, tau / 1.1, tau * 1.1, "found", "test"),
        "tau_gen": Estimate(gen, gen, gen, "found", "test"),
        "tau_mem_loss": Estimate(n / 2, None, None, "found", "test"),
    }
    return RunResult(Path(f"n{n}-{seed}"), config, "done", (curve,), estimates, seconds=40.0)


PILOTS = [run(n, 12.0 * n**1.2, seed=seed) for n in (16, 32, 64) for seed in (0, 1)]


def test_a_forecast_from_pilots():
    found = forecast_runs(PILOTS, 1024)
    assert found.tau_mem.low < 12 * 1024**1.2 < found.tau_mem.high
    assert found.lines[0].shape == "power law" and abs(np.log(found.tests[0].factor)) < 0.1
    assert found.loss.value == pytest.approx(512, rel=0.3)
    assert found.seconds_per_step == pytest.approx(0.01)
    text = " ".join(found.sentences)
    assert "At n = 1024 copying is expected" in text and "Back-test" in text and "save snapshots at 300" in text
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["n"] == 1024
    drawn = svg(found.figure())
    assert "90 % interval" in drawn and "theory, time scaled" in drawn


def test_the_theory_is_another_line_and_never_mixed_in():
    found = forecast_runs(PILOTS, 256)
    assert {line.shape for line in found.lines} == {"power law", "theory"}
    straight = next(line for line in found.lines if line.shape == "power law")
    assert straight.exponent.value == pytest.approx(1.2, abs=0.1)


def test_a_closed_window_is_said():
    late = [dataclasses.replace(r, estimates={**r.estimates, "tau_gen": Estimate(1e6, 1e6, 1e6, "found", "t")})
            for r in PILOTS]  # fmt: skip
    assert any("may be closed" in sentence for sentence in forecast_runs(late, 128).sentences)


def test_a_failed_back_test_is_a_warning():
    bent = [run(n, tau, seed=seed) for n, tau in ((16, 100.0), (32, 120.0), (64, 1200.0)) for seed in (0, 1)]
    found = forecast_runs(bent, 1024)
    assert not found.tests[0].inside and any("train larger pilots" in sentence for sentence in found.sentences)
    assert not any("train larger pilots" in sentence for sentence in forecast_runs(PILOTS, 1024).sentences)


def test_pilots_that_do_not_fill_the_batch_are_named():
    small = [run(n, 12.0 * n**1.2, seed=seed, batch=32) for n in (16, 32, 64) for seed in (0, 1)]
    assert any("n = 16 do not fill the batch of 32" in sentence for sentence in forecast_runs(small, 128).sentences)
    assert not any("do not fill" in sentence for sentence in forecast_runs(small[2:], 128).sentences)


def test_images_needed_inverts_the_forecast():
    line = next(line for line in forecast_runs(PILOTS, 256).lines if line.shape == "power law")
    needed = images_needed(line, 20_000)
    assert line.predict(needed).low >= 20_000 > line.predict(0.9 * needed).low
    assert images_needed(line, 1) == 1.0


def test_images_that_are_gone_leave_the_power_law():
    gone = [dataclasses.replace(r, config=dataclasses.replace(r.config, data=DataSettings("gone/", r.n, seed=i)))
            for i, r in enumerate(PILOTS)]  # fmt: skip
    assert [line.shape for line in forecast_runs(gone, 128).lines] == ["power law"]


@pytest.mark.parametrize(
    ("runs", "n", "message"),
    [
        ([*PILOTS, run(128, 900.0, lr=0.01)], 512, r"these differ in train\.lr \(0\.001, 0\.01\)"),
        ([*PILOTS, run(128, 900.0, batch=8)], 512, r"train\.batch"),
        (PILOTS[:1], 512, "two pilots at least, got 1"),
        (PILOTS[:2], 512, "two sizes at least"),
        (PILOTS, 0, "n must be at least 1"),
        ([run(n, Estimate(None, 50.0, None, "not_reached", "t")) for n in (16, 32)], 512, "none of 2 pilots"),
    ],
)
def test_rejects(runs, n, message):
    with pytest.raises(GenwindowError, match=message):
        forecast_runs(runs, n)
