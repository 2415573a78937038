import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate, GenwindowError
from genwindow.analysis.expectation import images_needed
from genwindow.experiments.forecast import forecast_runs
from genwindow.experiments.pilots import read_pilots, read_target
from genwindow.report import expectation_sentences, forecast_figure, svg
from genwindow.report.expectation import seconds_words
from genwindow.runs import DataSettings, NetSettings, RunConfig, RunFolder, RunResult, TrainSettings


def run(n, tau, *, seed=0, gen=300.0, width=256, batch=0, **train):
    config = RunConfig(
        data=DataSettings("digits", n, seed=seed),
        net=NetSettings("mlp", width, 1),
        train=TrainSettings(seed=seed, batch=batch, **train),
    )
    curve = Curve("f_mem", np.array([1.0, 4000.0]), np.array([0.0, 0.5]))
    estimates = {
        "tau_mem": tau if isinstance(tau, Estimate) else Estimate(tau, tau / 1.1, tau * 1.1, "found", "test"),
        "tau_gen": Estimate(gen, gen, gen, "found", "test"),
        "tau_mem_loss": Estimate(n / 2, None, None, "found", "test"),
    }
    return RunResult(Path(f"n{n}-{seed}"), config, "done", (curve,), estimates, seconds=40.0)


PILOTS = [run(n, 12.0 * n**1.2, seed=seed) for n in (16, 32, 64) for seed in (0, 1)]


def test_pilots_that_say_nothing_are_named():
    mute = run(64, Estimate(None, 0.0, None, "not_reached", "test"), seed=7)
    text = " ".join(expectation_sentences(forecast_runs([*PILOTS, mute], 1024)))
    assert "1 of 7 pilots say nothing about tau_mem and are left out (n = 64)" in text


def test_the_theory_grows_as_n_far_beyond_the_pilots():
    """With as many features as images it would slow down there, as large networks do not."""
    made = [
        dataclasses.replace(r, config=dataclasses.replace(r.config, data=DataSettings("mixture", r.n, dimension=8)))
        for r in PILOTS
    ]
    sizes, times = np.array(forecast_runs(made, 1024).theory).T
    slopes = np.diff(np.log(times)) / np.diff(np.log(sizes))
    assert slopes[0] > 1.3 and 0.9 < slopes[-1] < 1.15


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.0123, "12 ms"), (0.12, "120 ms"), (1.34, "1.3 s"), (150.0, "150 s"), (None, "an unknown time")],
)
def test_seconds_are_read_without_exponents(seconds, words):
    assert seconds_words(seconds) == words


def test_a_forecast_from_pilots():
    found = forecast_runs(PILOTS, 1024)
    assert found.tau_mem.low < 12 * 1024**1.2 < found.tau_mem.high
    assert found.straight.exponent.value == pytest.approx(1.2, abs=0.1)
    assert all(abs(np.log(test.factor)) < 0.4 for test in found.tests)
    assert sum(found.weight(line) for line in found.lines) == pytest.approx(1)
    assert found.loss.value == pytest.approx(512, rel=0.3)
    assert found.seconds_per_step == pytest.approx(0.01) and "largest pilot" in found.pace
    text = " ".join(expectation_sentences(found))
    assert "At n = 1024 copying is expected" in text and "Back-test" in text and "save snapshots at 300" in text
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["n"] == 1024
    drawn = svg(forecast_figure(found))
    assert "90 % interval" in drawn and "theory, time scaled" in drawn


def test_the_theory_is_another_line_and_never_mixed_in():
    found = forecast_runs(PILOTS, 256)
    assert {line.shape for line in found.lines} == {"power law", "theory"}
    straight = next(line for line in found.lines if line.shape == "power law")
    assert straight.exponent.value == pytest.approx(1.2, abs=0.1)


def test_a_closed_window_is_said():
    late = [dataclasses.replace(r, estimates={**r.estimates, "tau_gen": Estimate(1e6, 1e6, 1e6, "found", "t")})
            for r in PILOTS]  # fmt: skip
    sentences = expectation_sentences(forecast_runs(late, 128))
    assert any(
        "Samples of pilots with n = 64 were good after 1M steps: with 128 images copies may come first" in sentence
        for sentence in sentences
    ), sentences


def test_samples_were_good_at_the_mean_over_the_seeds_of_the_largest_pilots():
    def at(run, value):
        return dataclasses.replace(
            run, estimates={**run.estimates, "tau_gen": Estimate(value, 1.0, None, "found", "t")}
        )

    largest = max(run.n for run in PILOTS)
    seeds = iter((20.0, 80.0))
    found = forecast_runs([at(r, next(seeds)) if r.n == largest else at(r, 5.0) for r in PILOTS], 1024).tau_gen
    assert (found.value, found.low, found.high) == (pytest.approx(40), 1.0, None)


def test_no_window_is_promised_where_samples_were_never_surely_good():
    def good(run, high):
        tau = Estimate(20.0, 1.0, high, "found", "t")
        return dataclasses.replace(run, estimates={**run.estimates, "tau_gen": tau})

    sure, unsure = (forecast_runs([good(r, high) for r in PILOTS], 1024) for high in (25.0, None))
    assert sure.window.found and sure.snapshots
    assert unsure.window.status == "ill_posed" and unsure.snapshots == ()


def test_pilots_that_copied_before_their_samples_were_good_are_a_warning():
    made = [run(n, 12.0 * n**1.2, seed=seed, gen=600.0) for n in (16, 32, 64) for seed in (0, 1)]
    found = forecast_runs(made, 1024)  # tau_mem is 334, 768 and 1.8k
    assert [pilot.closed for pilot in found.pilots] == [True, True, False, False, False, False]
    assert any("n = 16 began to copy before" in sentence for sentence in expectation_sentences(found))
    never = dataclasses.replace(
        made[-1], estimates={**made[-1].estimates, "tau_gen": Estimate(None, None, None, "ill_posed", "t")}
    )
    assert forecast_runs([*made[:-1], never], 1024).pilots[-1].closed
    assert not any(
        "before their samples" in sentence for sentence in expectation_sentences(forecast_runs(PILOTS, 1024))
    )


def test_a_failed_back_test_is_a_warning():
    bent = [run(n, tau, seed=seed) for n, tau in ((16, 100.0), (32, 120.0), (64, 1200.0)) for seed in (0, 1)]
    found = forecast_runs(bent, 1024)
    assert not found.tests[0].inside and any(
        "train larger pilots" in sentence for sentence in expectation_sentences(found)
    )
    assert not any("train larger pilots" in sentence for sentence in expectation_sentences(forecast_runs(PILOTS, 1024)))


def test_times_come_in_steps_images_and_hours_at_the_pace_of_the_full_run():
    asked = []

    def pace_of(config, shape):
        asked.append((config.data.n, config.train.batch, shape))
        return 0.5

    found = forecast_runs(PILOTS, 1024, pace_of=pace_of)
    assert asked == [(1024, 0, (1, 8, 8))] and found.seconds_per_step == 0.5
    kept = found.to_json()
    tau = kept["tau_mem"]
    for end in ("value", "low", "high"):
        assert kept["samples_seen"]["tau_mem"][end] == pytest.approx(1024 * tau[end])
        assert kept["hours"]["tau_mem"][end] == pytest.approx(tau[end] * 0.5 / 3600)
    assert kept["tau_mem_loss"]["low"] < kept["tau_mem_loss"]["value"] < kept["tau_mem_loss"]["high"]
    assert kept["window"]["value"] == pytest.approx(tau["value"] - 300)
    assert found.snapshots[0] == 300 and found.snapshots[-1] == round(tau["low"])
    assert kept["pilot_steps"] == 6 * 4000 and kept["pilot_seconds"] == 240


def test_a_fixed_batch_counts_its_own_images():
    made = [run(n, 12.0 * n**1.2, seed=seed, batch=16) for n in (16, 32, 64) for seed in (0, 1)]
    assert forecast_runs(made, 512).batch == 16 and forecast_runs(PILOTS, 512).batch == 512


def test_pilots_of_several_widths():
    made = [run(n, 4000 * n**1.1 / w, width=w, seed=seed) for n in (16, 32, 64) for w in (64, 128) for seed in (0, 1)]
    found = forecast_runs(made, 512, width=256)
    assert found.tau_mem.low < 4000 * 512**1.1 / 256 < found.tau_mem.high
    text = " ".join(expectation_sentences(found))
    assert "n = 512 and width 256" in text and "Against the width it goes as W^-1.00" in text
    assert found.lines[0].width_exponent.value == pytest.approx(-1, abs=0.05)


def test_images_needed_inverts_the_forecast():
    line = next(line for line in forecast_runs(PILOTS, 256).lines if line.shape == "power law")
    needed = images_needed(line, 20_000)
    assert line.predict(needed).low >= 20_000 > line.predict(0.9 * needed).low
    assert images_needed(line, 1) == 1.0 and images_needed(line, 1e15) is None
    found = forecast_runs(PILOTS, 256, steps=20_000)
    assert any("To train 20000 steps without copies" in sentence for sentence in expectation_sentences(found))
    assert found.to_json()["images_needed_loss"] > found.to_json()["images_needed"]


def test_images_that_are_gone_leave_the_power_law():
    gone = [dataclasses.replace(r, config=dataclasses.replace(r.config, data=DataSettings("gone/", r.n, seed=i)))
            for i, r in enumerate(PILOTS)]  # fmt: skip
    assert [line.shape for line in forecast_runs(gone, 128).lines] == ["power law"]


@pytest.mark.parametrize(
    ("runs", "n", "message"),
    [
        ([*PILOTS, run(128, 900.0, lr=0.01)], 512, r"these differ in train\.lr \(0\.001, 0\.01\)$"),
        ([*PILOTS, run(128, 900.0, batch=8)], 512, r"train\.batch"),
        (PILOTS[:1], 512, "two pilots at least, got 1"),
        (PILOTS[:2], 512, "two sizes at least"),
        (PILOTS, 0, "n must be at least 1"),
        (PILOTS, 32, "smaller than the largest pilot's 64"),
        ([*PILOTS, run(128, 900.0, width=64)], 512, r"net\.width \(256, 64\); to forecast across widths"),
        ([run(n, 12.0 * n, batch=32) for n in (16, 32, 64)], 512, "pilots with n = 16 see all their images"),
        ([run(n, Estimate(None, 50.0, None, "not_reached", "t")) for n in (16, 32)], 512, "none of 2 pilots"),
    ],
)
def test_rejects(runs, n, message):
    with pytest.raises(GenwindowError, match=message):
        forecast_runs(runs, n)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train": {"lr": 0.01}}, r"train\.lr \(0\.001 in the pilots, 0\.01 in the full run\)"),
        ({"train": {"batch": 64}}, r"train\.batch \(0 in the pilots, 64 in the full run\)"),
        ({"net": {"kind": "unet", "width": 8}}, r"net\.kind \(mlp in the pilots, unet in the full run\), net\.width"),
    ],
)
def test_rejects_a_full_run_with_other_settings(changed, message):
    settings = PILOTS[0].config.to_json()
    target = RunConfig.from_json({**settings, **{k: {**settings[k], **v} for k, v in changed.items()}})
    with pytest.raises(GenwindowError, match=message):
        forecast_runs(PILOTS, 512, target=target)
    longer = {**settings["train"], "steps": 10**6, "seed": 5}
    alike = RunConfig.from_json({**settings, "train": longer, "measure": {"samples": 99}})
    assert forecast_runs(PILOTS, 512, target=alike).n == 512


def test_rejects_one_width_and_damaged_folders(tmp_path):
    with pytest.raises(GenwindowError, match=r"--width needs pilots of several widths; these all have net\.width=256"):
        forecast_runs(PILOTS, 512, width=64)
    folder = RunFolder(tmp_path / "run")
    folder.begin(RunConfig())
    with pytest.raises(GenwindowError, match="has no estimate of tau_mem yet"):
        read_pilots([folder.path])
    (folder.path / "estimates.json").write_text('{"tau_mem": 3}')
    with pytest.raises(GenwindowError, match="is damaged|is missing"):
        read_pilots([folder.path])
    for content, message in (("3", "holds no settings"), ("{a: [", "neither JSON nor YAML")):
        (tmp_path / "target.yaml").write_text(content)
        with pytest.raises(GenwindowError, match=message):
            read_target(tmp_path / "target.yaml")
    with pytest.raises(GenwindowError, match="cannot be read"):
        read_target(tmp_path / "nowhere")
    assert read_target(folder.path) == RunConfig()
    (tmp_path / "target.yaml").write_text("train: {lr: 2e-3}")
    assert read_target(tmp_path / "target.yaml").train.lr == 0.002
