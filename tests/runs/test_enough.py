"""Runs that end once they have told enough."""

import dataclasses

import numpy as np
import pytest
from safetensors.torch import load_file

from genwindow import Estimate, GenwindowError
from genwindow.runs import DataSettings, Enough, MeasureSettings, NetSettings, RunConfig, TrainSettings, execute
from genwindow.sweep import Inline, SweepFolder, read_progress, run_status


def config(steps=400):
    """Eight points copied within a few hundred steps."""
    return RunConfig(
        data=DataSettings("digits", 8, heldout=40, reference=40),
        net=NetSettings("mlp", 64, 1),
        train=TrainSettings(steps=steps, lr=3e-3, batch=0),
        measure=MeasureSettings(first=10, per_octave=1, samples=24, sampler_steps=5, loss_images=8, loss_draws=1),
    )


LOSS = Enough(event="tau_mem_loss")


def test_roundtrip_a_run_that_ended_early_goes_on_as_if_it_had_not(tmp_path):
    early = execute(config(), tmp_path / "run", enough=LOSS)
    assert early.status == "interrupted" and "tau_mem_loss is known" in early.message
    assert early.estimates["tau_mem_loss"].high is not None
    last = early.curve("f_mem").step[-1]
    assert last < 400
    before = (tmp_path / "run" / "checkpoint" / "state.pt").stat().st_mtime_ns
    again = execute(config(), tmp_path / "run", enough=LOSS)  # costs nothing
    assert again.estimates == early.estimates
    assert (tmp_path / "run" / "checkpoint" / "state.pt").stat().st_mtime_ns == before
    whole = execute(config(), tmp_path / "run")
    execute(config(), tmp_path / "unbroken")
    files = [load_file(tmp_path / name / "snapshots" / "final.safetensors") for name in ("run", "unbroken")]
    assert whole.status == "done" and all(np.array_equal(files[0][k], files[1][k]) for k in files[0])


def test_a_run_whose_time_is_up_ends_with_a_checkpoint_and_goes_on_with_more(tmp_path):
    job = SweepFolder(tmp_path).add([config()])[0]
    short = dataclasses.replace(job, enough=Enough(event=None, seconds=0.0))
    (outcome,) = Inline().run([short])
    assert outcome.state == "done" and not outcome.error
    status = run_status(short)
    assert status.state == "interrupted" and status.step == 1
    assert read_progress([short]).done == 1.0 and read_progress([job]).done < 0.1
    Inline().run([job])
    assert run_status(job).state == "done"


@pytest.mark.parametrize(
    ("estimate", "seconds", "expected"),
    [
        (Estimate(100, 90, 110, "found", "t"), 0.0, "tau_mem is known"),
        (Estimate(100, 90, None, "found", "t"), 0.0, ""),
        (Estimate(None, None, 10, "below_range", "t"), 0.0, "tau_mem is known"),
        (Estimate(None, 90, None, "not_reached", "t"), 0.0, ""),
        (Estimate(None, 90, None, "not_reached", "t"), 60.0, "its time is up"),
    ],
)
def test_what_is_enough(estimate, seconds, expected):
    assert Enough(seconds=30.0).reason(seconds, {"tau_mem": estimate}) == expected
    assert Enough(seconds=30.0).reason(0.0) == "" and Enough(event=None).reason(1e9, {"tau_mem": estimate}) == ""


def test_rejects():
    with pytest.raises(GenwindowError, match="seconds must be a number"):
        Enough(seconds=-1)
