import dataclasses
import importlib
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from genwindow import GenwindowError
from genwindow.analysis import tau_gen_from_loss
from genwindow.runs import (
    DataSettings,
    DiffusionSettings,
    Enough,
    Interrupted,
    MeasureSettings,
    NetSettings,
    RunConfig,
    RunFolder,
    TrainSettings,
    draw_samples,
    execute,
)


def small(n=16, steps=60, **train):
    return RunConfig(
        data=DataSettings(source="digits", n=n, heldout=40, reference=40),
        net=NetSettings("mlp", 32, 1),
        train=TrainSettings(steps=steps, batch=8, ema=0.9, **train),
        measure=MeasureSettings(first=10, per_octave=1, samples=24, sampler_steps=5, loss_images=16, loss_draws=1),
    )


def weights(folder):
    return load_file(folder / "snapshots" / "final.safetensors")


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def test_a_run_writes_its_whole_folder_and_reads_it_back(tmp_path):
    result = execute(small(), tmp_path / "run")
    names = sorted(p.name for p in (tmp_path / "run").iterdir() if not p.name.startswith("."))
    assert names == [
        "checkpoint", "config.json", "curves.csv", "estimates.json", "provenance.json", "ratios.json", "samples",
        "snapshots", "status.json", "verdicts.json",
    ]  # fmt: skip
    assert result.status == "done" and result.n == 16
    assert result.curve("f_mem").step.tolist() == [10, 20, 40, 60]
    assert {"tau_gen", "tau_mem", "tau_gen_loss", "tau_mem_loss", "floor", "frechet_floor"} <= set(result.estimates)
    assert len(result.curves_named("heldout_loss")) == 5
    assert result.gallery.generated.shape == (4, 12, 8, 8, 1)
    assert result.gallery.nearest.dtype == np.uint8
    assert len(result.ratio_curve["threshold"]) == 100
    assert result.verdict.step == 60 and not result.verdict.should_stop
    assert RunFolder(tmp_path / "run").load().curves == result.curves
    with pytest.raises(GenwindowError, match="has no curve 'fid'"):
        result.curve("fid")


def test_the_same_settings_give_the_same_weights_and_another_seed_others(tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        execute(small(seed=seed), tmp_path / name)
    assert same(weights(tmp_path / "a"), weights(tmp_path / "b"))
    assert not same(weights(tmp_path / "a"), weights(tmp_path / "c"))


def test_a_finished_run_is_not_run_again(tmp_path):
    execute(small(), tmp_path / "run")
    stamp = (tmp_path / "run" / "snapshots" / "final.safetensors").stat().st_mtime_ns
    assert execute(small(), tmp_path / "run").status == "done"
    assert (tmp_path / "run" / "snapshots" / "final.safetensors").stat().st_mtime_ns == stamp


SCRIPT = """
import json, sys
from genwindow.runs import RunConfig, execute
execute(RunConfig.from_json(json.loads(sys.argv[1])), sys.argv[2], checkpoint_seconds=0.05)
"""


def start(folder):
    """The run of 400 steps in a process of its own, which checkpoints every 50 ms."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(small(steps=400).to_json()), str(folder)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_for(condition, process, seconds=90):
    until = time.monotonic() + seconds
    while not condition() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


def test_killed_at_random_moments_it_ends_with_the_weights_of_an_unbroken_run(tmp_path):
    execute(small(steps=400), tmp_path / "whole")
    broken, kills = tmp_path / "broken", 0
    checkpoint = broken / "checkpoint" / "state.pt"
    moments = random.Random()
    while kills < 3:
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = start(broken)
        wait_for(lambda: checkpoint.exists() and checkpoint.stat().st_mtime_ns != before, process)  # noqa: B023
        time.sleep(moments.uniform(0, 0.2))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        kills += 1
    assert kills >= 1
    assert start(broken).communicate()[1] == "" and RunFolder(broken).load().status == "done"
    assert same(weights(tmp_path / "whole"), weights(broken))
    assert RunFolder(tmp_path / "whole").read_curves() == RunFolder(broken).read_curves()


def interrupted(config, folder, at):
    """Execute a run that gets Ctrl-C after step `at`."""
    sent, before = [], signal.getsignal(signal.SIGINT)

    def interrupt(progress):
        if progress.step > at and not sent:
            sent.append(progress.step)
            os.kill(os.getpid(), signal.SIGINT)

    module = importlib.import_module("genwindow.runs.session")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STATUS_SECONDS", 0.0)
        with pytest.raises(Interrupted):
            execute(config, folder, on_progress=interrupt)
    assert RunFolder(folder).load().status == "interrupted"
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_leaves_a_run_that_resumes_exactly(tmp_path):
    execute(small(steps=200), tmp_path / "whole")
    interrupted(small(steps=200), tmp_path / "broken", at=20)
    execute(small(steps=200), tmp_path / "broken")
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_measuring_times_between_those_of_the_schedule_survive_an_interrupt(tmp_path, monkeypatch):
    monkeypatch.setattr("genwindow.monitor.samples.Samples.sign", lambda self, found: True)
    config = small(steps=200)
    assert execute(config, tmp_path / "plain").curve("f_mem").step.tolist() == [10, 20, 40, 80, 160, 200]
    config = dataclasses.replace(config, measure=dataclasses.replace(config.measure, most_samples=48))
    whole = execute(config, tmp_path / "whole")
    assert whole.curve("f_mem").step.tolist() == [10, 14, 20, 28, 40, 80, 160, 200]  # two more, and then none
    interrupted(config, tmp_path / "broken", at=23)  # between 20 and 28
    assert execute(config, tmp_path / "broken").curves == whole.curves
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "broken"))


def test_rejects_a_folder_with_other_settings_and_lists_them(tmp_path):
    execute(small(), tmp_path / "run")
    with pytest.raises(GenwindowError, match=r"other settings \(train.lr: 0.1 against 0.001\); choose another folder"):
        execute(small(lr=0.1), tmp_path / "run")


def test_rejects_a_folder_that_is_no_run_and_leaves_it_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(GenwindowError, match="is not empty and holds no run"):
        execute(small(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_rejects_an_unwritable_place(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file" / "run", "/proc/run", tmp_path / "file"):
        with pytest.raises(GenwindowError, match="cannot write|is a file"):
            execute(small(), place)


def test_rejects_a_truncated_checkpoint_and_keeps_everything(tmp_path):
    folder = tmp_path / "run"
    execute(small(), folder)
    RunFolder(folder).write("status", {"state": "running"})
    checkpoint = folder / "checkpoint" / "state.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(GenwindowError, match="state.pt is damaged .*delete it to start the run anew"):
        execute(small(), folder)
    assert (folder / "curves.csv").exists()
    checkpoint.unlink()
    assert execute(small(), folder).status == "done"


@pytest.mark.parametrize("name", ["step", "samples", "seconds"])
def test_rejects_a_checkpoint_of_another_form(tmp_path, name):
    execute(small(steps=20), tmp_path)
    checkpoint = tmp_path / "checkpoint" / "state.pt"
    torch.save({**torch.load(checkpoint, weights_only=True), name: "x"}, checkpoint)
    with pytest.raises(GenwindowError, match=r"state.pt does not fit this run \(ValueError\); delete it"):
        execute(small(steps=30), tmp_path)


def test_rejects_a_second_process_on_one_run(tmp_path):
    with RunFolder(tmp_path / "run").locked():
        with pytest.raises(GenwindowError, match="another process is working on"):
            execute(small(), tmp_path / "run")


def test_divergence_names_the_step_what_is_left_and_what_to_try(tmp_path):
    with pytest.raises(GenwindowError, match=r"diverged at step \d+ .*no checkpoint.*Try a smaller train.lr"):
        execute(small(optimizer="sgd", lr=1e6), tmp_path / "run")
    loaded = RunFolder(tmp_path / "run").load()
    assert loaded.status == "failed" and "diverged" in loaded.message


def test_a_run_does_not_go_on_with_other_images(tmp_path):
    """With one image less in the folder the sets are divided anew: images seen in training could be held out."""
    images = tmp_path / "images"
    images.mkdir()
    for i in range(60):
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)).save(images / f"{i}.png")
    config = dataclasses.replace(small(n=16), data=DataSettings(str(images), 16, heldout=20, reference=20))
    execute(config, tmp_path / "run", enough=Enough(None, seconds=0.0))
    before = (tmp_path / "run" / "provenance.json").read_bytes()
    (images / "7.png").unlink()
    with pytest.raises(GenwindowError, match="are not those that the run in .* was begun with"):
        execute(config, tmp_path / "run")
    assert (tmp_path / "run" / "provenance.json").read_bytes() == before


def test_a_run_that_was_interrupted_names_the_settings_that_differ_before_its_images(tmp_path):
    config = small(n=16)
    execute(config, tmp_path / "run", enough=Enough(None, seconds=0.0))
    with pytest.raises(GenwindowError, match=r"holds a run with other settings \(data.n: 7 against 16\)"):
        execute(dataclasses.replace(config, data=dataclasses.replace(config.data, n=7)), tmp_path / "run")


def test_a_network_of_one_diffusion_time_is_measured_there(tmp_path):
    config = small(fixed_t=400.0)
    result = execute(dataclasses.replace(config, measure=dataclasses.replace(config.measure, samples=0)), tmp_path)
    assert [c.t for c in result.curves_named("heldout_loss")] == [20, 50, 100, 250, 400, 500]
    (split,) = (c for c in result.curves_named("train_loss") if c.t == 400)
    assert not result.curves_named("f_mem") and split.value[-1] < 1
    own = tau_gen_from_loss(next(c for c in result.curves_named("heldout_loss") if c.t == 400))
    assert result.estimates["tau_gen_loss"].value == own.value and result.estimates["tau_gen_loss"].text == own.text


def test_a_run_of_one_diffusion_time_that_was_not_looked_at_there_does_not_go_on(tmp_path):
    """As runs begun by earlier versions; this one looked at t = 500."""
    begun, config = (
        dataclasses.replace(c, measure=dataclasses.replace(c.measure, samples=0))
        for c in (small(fixed_t=500.0, steps=20), small(fixed_t=400.0))
    )
    execute(begun, tmp_path / "run")
    settings = tmp_path / "run" / "config.json"
    settings.write_text(settings.read_text().replace('"fixed_t": 500.0', '"fixed_t": 400.0'))
    with pytest.raises(GenwindowError, match=r"did not look at t = 400.0: .* choose another folder"):
        execute(config, tmp_path / "run")
    with pytest.raises(GenwindowError, match=r"knows the diffusion time 400.0 only and cannot generate"):
        draw_samples(tmp_path / "run", 3, weights="final")


def test_bad_data_leaves_no_folder(tmp_path):
    with pytest.raises(GenwindowError, match="n"):
        execute(small(n=5000), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (RunConfig(diffusion=DiffusionSettings("flow", "noise")), "prediction must be velocity or data for the flow"),
        (
            RunConfig(diffusion=DiffusionSettings("cosine", "score")),
            "for the cosine schedule, got score: .* alpha = 5e-05",
        ),
        (
            RunConfig(train=TrainSettings(fixed_t=5000)),
            r"train.fixed_t must lie in \[0, 1000\] for the linear",
        ),
        (RunConfig(train=TrainSettings(fixed_t=500)), "cannot generate: set measure.samples to 0 too"),
        (RunConfig(diffusion=DiffusionSettings(prediction="eps")), "diffusion.prediction has the wrong type: 'eps'"),
        (RunConfig(measure=MeasureSettings(sampler="dpm")), "measure.sampler has the wrong type: 'dpm'"),
        (RunConfig(measure=MeasureSettings(sampler_steps=2000)), "sampler_steps must be at most 1000"),
        (RunConfig(device="cuda:99"), "is not on this machine"),
    ],
)
def test_rejects_settings_that_do_not_go_together(tmp_path, config, message):
    with pytest.raises(GenwindowError, match=message):
        execute(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_rejects_images_too_odd_for_the_unet(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for i in range(30):
        pixels = np.random.default_rng(i).integers(0, 256, (10, 10), dtype=np.uint8)
        Image.fromarray(pixels).save(images / f"{i}.png")
    config = RunConfig(data=DataSettings(str(images), 4, heldout=4, reference=4), net=NetSettings("unet", 8))
    with pytest.raises(GenwindowError, match="divisible by 4, got 10x10; set data.size"):
        execute(config, tmp_path / "run")


def test_a_run_goes_on_on_another_device(tmp_path):
    """The folder is that of the same run, and what is done stays done, whatever the device."""
    folder = tmp_path / "run"
    result = execute(small(), folder)
    assert execute(dataclasses.replace(small(), device="cuda"), folder).curve("f_mem").tau.tolist() == (
        result.curve("f_mem").tau.tolist()
    )
    assert RunFolder(folder).read("provenance")["device"] == "cpu"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_run_goes_on_for_more_steps(tmp_path, stopped):
    """Bit for bit as if it had been that long from the beginning; fewer steps, or other settings, are refused."""
    whole, folder = tmp_path / "whole", tmp_path / "run"
    execute(small(steps=90), whole)
    execute(small(steps=60), folder)
    if stopped:
        (folder / "status.json").write_text(json.dumps({"state": "interrupted", "step": 60, "steps": 60}))
    seen = []
    result = execute(small(steps=90), folder, on_progress=seen.append)
    assert seen[0].step <= 61 and seen[0].f_mem is not None  # known from before
    assert result.status == "done" and same(weights(folder), weights(whole))
    assert result.curve("f_mem").tau.tolist() == [10, 20, 40, 60, 80, 90] and result.config.train.steps == 90
    before = (folder / "config.json").read_bytes()
    with pytest.raises(GenwindowError, match="train.steps: 60 against 90"):
        execute(small(steps=60), folder)
    with pytest.raises(GenwindowError, match=r"other settings \(train.lr: 0.5 against"):
        execute(small(steps=120, lr=0.5), folder)
    assert (folder / "config.json").read_bytes() == before


def test_a_run_whose_checkpoint_is_gone_does_not_begin_anew_for_more_steps(tmp_path):
    folder = tmp_path / "run"
    execute(small(), folder)
    (folder / "checkpoint" / "state.pt").unlink()
    (folder / "checkpoint" / "previous.pt").unlink(missing_ok=True)
    kept = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(GenwindowError, match="cannot go on for more steps: its checkpoint is gone"):
        execute(small(steps=90), folder)
    assert {p: p.read_bytes() for p in kept if p.name != "provenance.json"} == {
        p: content for p, content in kept.items() if p.name != "provenance.json"
    }


def test_a_run_that_has_told_enough_is_not_made_longer(tmp_path):
    folder = tmp_path / "run"
    execute(small(), folder, enough=Enough(event=None, seconds=0.0))
    before = (folder / "config.json").read_bytes()
    execute(small(steps=90), folder, enough=Enough(event=None, seconds=0.0))
    assert (folder / "config.json").read_bytes() == before


GPU_RUNS = {
    "mlp": small(),
    "unet": dataclasses.replace(small(), net=NetSettings("unet", 8, dropout=0.1)),
    "flow": dataclasses.replace(small(), diffusion=DiffusionSettings("flow", "velocity")),
    "guidance": dataclasses.replace(
        small(label_dropout=0.2),
        net=NetSettings("mlp", 32, 1, conditional=True),
        measure=dataclasses.replace(small().measure, guidance=(2.0,)),
    ),
    "mixture": dataclasses.replace(small(), data=DataSettings("mixture", 16, heldout=40, reference=40)),
    "fixed t": dataclasses.replace(small(fixed_t=100.0), measure=dataclasses.replace(small().measure, samples=0)),
}


@pytest.mark.gpu
@pytest.mark.parametrize("name", GPU_RUNS)
def test_a_run_on_a_graphics_card_is_that_of_the_processor(tmp_path, name):
    config = GPU_RUNS[name]
    here = execute(config, tmp_path / "cpu")
    there = execute(dataclasses.replace(config, device="cuda"), tmp_path / "cuda")
    assert RunFolder(tmp_path / "cuda").read("provenance")["device"].startswith("cuda")
    for ours, theirs in zip(here.curves, there.curves, strict=True):
        assert (ours.name, ours.t) == (theirs.name, theirs.t)
        if name != "unet" and ("loss" in ours.name or "score" in ours.name):  # its dropout has the card's own draws
            np.testing.assert_allclose(theirs.value, ours.value, rtol=2e-3)
        assert np.isfinite(theirs.value).all()


@pytest.mark.gpu
def test_a_run_begun_on_a_graphics_card_goes_on_on_the_processor(tmp_path, monkeypatch):
    whole = execute(small(), tmp_path / "whole")
    session = importlib.import_module("genwindow.runs.session")
    advance = session.Session.advance

    def stop_at_30(self, record):
        if record.step == 30:
            signal.raise_signal(signal.SIGTERM)
        return advance(self, record)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(session.Session, "advance", stop_at_30)
        execute(dataclasses.replace(small(), device="cuda"), tmp_path / "parts")
    parts = execute(small(), tmp_path / "parts")
    assert parts.status == "done"
    for ours, theirs in zip(whole.curves_named("train_loss"), parts.curves_named("train_loss"), strict=True):
        np.testing.assert_allclose(theirs.value, ours.value, rtol=2e-3)


@pytest.mark.gpu
def test_half_precision_trains_on_a_graphics_card(tmp_path):
    config = dataclasses.replace(small(), net=NetSettings("unet", 8))
    full = execute(config, tmp_path / "full")
    half = execute(dataclasses.replace(config, device="cuda", precision="bfloat16"), tmp_path / "half")
    assert half.status == "done"
    for ours, theirs in zip(full.curves_named("train_loss"), half.curves_named("train_loss"), strict=True):
        assert (ours.value != theirs.value).any()
        np.testing.assert_allclose(theirs.value, ours.value, rtol=0.05)


@pytest.mark.parametrize("kind", ["mlp", "unet"])
@pytest.mark.parametrize(("schedule", "prediction"), [("flow", "velocity"), ("ou", "score"), ("cosine", "data")])
def test_every_kind_of_run_goes_through(tmp_path, kind, schedule, prediction):
    config = RunConfig(
        data=DataSettings("digits", 8, heldout=20, reference=20),
        diffusion=DiffusionSettings(schedule, prediction),
        net=NetSettings(kind, 8, 1, dropout=0.1),
        train=TrainSettings(steps=4, batch=0),
        measure=MeasureSettings(first=2, samples=8, sampler="heun", sampler_steps=3, loss_images=8, loss_draws=1),
    )
    result = execute(config, tmp_path / "run")
    assert result.status == "done" and len(result.curve("frechet")) >= 2


def test_one_training_image_is_ill_posed_but_runs(tmp_path):
    result = execute(small(n=1, steps=20), tmp_path / "run")
    assert result.estimates["tau_mem"].status == "ill_posed"
    assert result.status == "done"


def test_a_run_ends_itself_where_the_rule_says_so(tmp_path, monkeypatch):
    """A sampler that returns training images from step 40 on stands for a model that copies."""
    images = {}

    def copies(denoiser, shape, generator, **rest):
        if images["session"].step < 40:
            return torch.randn(shape, generator=generator)
        return images["session"].data.train[torch.arange(shape[0]) % 16]

    module = sys.modules["genwindow.runs.session"]

    monkeypatch.setattr("genwindow.runs.measure.sample", copies)
    keep = module.Session._keep
    begin = module.Session._resume

    def resume(self):
        images["session"] = self
        begin(self)

    monkeypatch.setattr(module.Session, "_resume", resume)
    seen = []
    monkeypatch.setattr(module.Session, "_keep", lambda self, m: seen.append(m.step) or keep(self, m))
    result = execute(small(steps=400, stop_in_window=True), tmp_path / "run")
    assert result.status == "done" and seen == [10, 20, 40]
    assert result.verdict.state == "memorizing" and result.verdict.should_stop and result.verdict.closed
    step, kept = RunFolder(tmp_path / "run").read_snapshot("stop")
    assert step == 40 and RunFolder(tmp_path / "run").read_snapshot("worst") is None
    assert all(torch.equal(kept[k], v) for k, v in weights(tmp_path / "run").items())
    for steps in (400, 800):  # a run that the rule has ended is over, whatever steps are asked for
        again = execute(small(steps=steps, stop_in_window=True), tmp_path / "run")
        assert again.status == "done" and again.curve("f_mem").step.tolist() == seen == [10, 20, 40]
        assert RunFolder(tmp_path / "run").read("status")["step"] == 40


def test_a_run_that_may_be_stopped_draws_more_samples_where_the_verdict_hangs_on_it():
    from genwindow.runs.measure import _most_samples

    assert _most_samples(small(steps=4)) == small(steps=4).measure.samples
    assert _most_samples(small(steps=4, stop_in_window=True)) is None  # the monitor's own choice, eight times as many
