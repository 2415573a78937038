"""Runs on points, with classes, guidance and further samplers."""

import dataclasses
import importlib
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from genwindow import GenwindowError
from genwindow.data import GaussianMixture
from genwindow.diffusion import ExactDenoiser, named_schedule
from genwindow.runs import (
    DataSettings,
    DiffusionSettings,
    Interrupted,
    MeasureSettings,
    NetSettings,
    RunConfig,
    TrainSettings,
    execute,
)
from genwindow.runs.data import build_data
from genwindow.runs.measure import _score_errors, asked_classes


def config(conditional=True, steps=60, source="mixture", **data):
    more = {"label_dropout": 0.2} if conditional else {}
    return RunConfig(
        data=DataSettings(source, n=24, heldout=60, reference=40, **data),
        net=NetSettings("mlp", 16, 1, conditional=conditional),
        train=TrainSettings(steps=steps, batch=8, **more),
        measure=MeasureSettings(
            first=10, per_octave=1, samples=20, sampler_steps=4, loss_images=8, loss_draws=1,
            guidance=(1.0, 3.0) if conditional else (), also_samplers=("ddpm",),
        ),
    )  # fmt: skip


def test_a_conditional_run_has_curves_and_timescales_of_classes_weights_and_samplers(tmp_path):
    run = execute(config(), tmp_path / "run")
    names = {"class=0", "class=1", "w=1", "w=3", "ddpm"}
    curves = {curve.name for curve in run.curves}
    assert {f"f_mem:{name}" for name in names} | {"f_mem", "train_loss", "heldout_loss"} <= curves
    assert {f"tau_mem:{name}" for name in names} | {"floor:class=0", "tau_gen:w=3", "tau_mem_loss"} <= set(
        run.estimates
    )
    assert run.gallery.generated.shape[2:] == (1, 8, 1) and run.gallery.nearest.dtype == np.uint8


@pytest.mark.parametrize(("source", "conditional"), [("mixture", False), ("mixture", True), ("power-law", False)])
def test_points_of_a_known_law_have_score_errors(tmp_path, source, conditional):
    given = config(conditional, source=source)
    run = execute(given, tmp_path / "run")
    for name in ("population", "empirical"):
        assert len(run.curves_named(f"score_error:{name}")) == len(run.config.measure.loss_times)
    assert conditional or not any(":class" in curve.name for curve in run.curves)


@pytest.mark.parametrize("which", ["population", "empirical"])
def test_score_errors_of_a_network_that_is_told_classes_are_those_of_each_class(which):
    """The exact denoiser of the classes has none; one that takes each class for the other has."""
    given = config()
    data, schedule = build_data(given.data), named_schedule("linear")
    laws = [GaussianMixture(data.law.means[k : k + 1], 1.0) for k in (0, 1)]
    known = {
        "population": ExactDenoiser(data.law, schedule, laws),
        "empirical": ExactDenoiser.of_images(data.train, schedule, data.train_labels),
    }[which]

    class Told(torch.nn.Module):
        def __init__(self, swapped):
            super().__init__()
            self.weight, self.schedule, self.swapped = torch.nn.Parameter(torch.zeros(1)), schedule, swapped

        def forward(self, x, t, label):
            return known(x, t, 1 - label if self.swapped else label)

    errors = []
    for swapped in (False, True):
        model = Told(swapped)
        probes = _score_errors(given, data, data.law, model, (300.0,))
        errors.append(float(probes[f"score_error:{which}"]().value[0]))
    assert errors[0] < 1e-10 < 1e-2 < errors[1]


def test_without_samples_only_losses_are_measured(tmp_path):
    measure = MeasureSettings(first=10, per_octave=1, samples=0, loss_images=8, loss_draws=1)
    run = execute(dataclasses.replace(config(conditional=False), measure=measure), tmp_path / "run")
    assert not run.curves_named("f_mem") and run.curves_named("train_loss") and "tau_mem_loss" in run.estimates


def test_a_stopped_conditional_run_resumes_bit_for_bit(tmp_path):
    execute(config(), tmp_path / "whole")

    sent = []

    def interrupt(progress):
        if progress.step > 20 and not sent:
            sent.append(progress.step)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("genwindow.runs.session"), "STATUS_SECONDS", 0.0)
        with pytest.raises(Interrupted):
            execute(config(), tmp_path / "broken", on_progress=interrupt)
    execute(config(), tmp_path / "broken")
    one, other = (load_file(tmp_path / name / "snapshots" / "final.safetensors") for name in ("whole", "broken"))
    assert one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    assert "label.table.weight" in one


def test_training_sees_the_labels(tmp_path):
    execute(config(), tmp_path / "a")
    execute(dataclasses.replace(config(), train=dataclasses.replace(config().train, label_dropout=0.5)), tmp_path / "b")
    one, other = (load_file(tmp_path / name / "snapshots" / "final.safetensors") for name in ("a", "b"))
    assert not torch.equal(one["label.table.weight"], other["label.table.weight"])


@pytest.mark.parametrize("source", ["mixture", "digits"])
def test_classes_in_given_shares_nested_and_asked_for_in_proportion(source):
    large = build_data(DataSettings(source, n=100, heldout=200, reference=100, class_weights=(4.0, 1.0)))
    small = build_data(DataSettings(source, n=50, heldout=200, reference=100, class_weights=(4.0, 1.0)))
    assert torch.bincount(large.train_labels).tolist() == [80, 20]
    assert large.train_index[:50] == small.train_index and torch.equal(large.train_labels[:50], small.train_labels)
    asked = asked_classes(small, 40)
    assert torch.bincount(asked)[:2].tolist() == [32, 8] and len(asked) == 40
    shares = torch.bincount(large.heldout_labels).double()
    assert len(shares) == 2 and shares[0] / shares.sum() == pytest.approx(0.8, abs=0.03)


def test_points_are_not_squeezed_and_sets_share_nothing():
    data = build_data(DataSettings("mixture", n=64, dimension=5))
    assert data.train.shape == (64, 5) and data.heldout.shape == data.reference.shape == (1000, 5)
    assert data.train.abs().max() > 1.5
    every = torch.cat([data.train, data.heldout, data.reference])
    assert len(torch.unique(every, dim=0)) == len(every)


def test_classes_are_those_of_the_law_not_of_the_few_points_held_out():
    data = build_data(DataSettings("mixture", n=20, heldout=2, class_weights=(4.0, 1.0)))
    assert data.classes == 2 and data.train_labels.max() == 1


def test_rejects_classes_below_zero(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels, labels=np.arange(60) % 2 * 2 - 1)
    data = DataSettings(str(tmp_path / "set.npz"), n=8, heldout=20, reference=20)
    with pytest.raises(GenwindowError, match="net.conditional needs classes from 0; .*set.npz has the label -1"):
        execute(dataclasses.replace(config(), data=data), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        (np.arange(60) % 3 * 10**8, {}, "needs classes numbered without large gaps, at most 65536 .* label 200000000"),
        (np.arange(60) % 3, {"class_weights": (1.0, 1.0, 1.0, 1.0)}, r"names classes of which .* has no image: \[3\]"),
    ],
)
def test_rejects_classes_that_are_not_there(tmp_path, labels, more, message):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels, labels=labels)
    data = DataSettings(str(tmp_path / "set.npz"), n=3, heldout=20, reference=20, **more)
    with pytest.raises(GenwindowError, match=message):
        execute(dataclasses.replace(config(), data=data), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": DataSettings("orl-faces", n=8, size=8)}, "net.conditional needs the class of every image; orl-faces"),
        ({"net": NetSettings("mlp", 16, 1)}, "train.label_dropout needs net.conditional"),
        ({"train": TrainSettings(steps=5)}, "measure.guidance needs train.label_dropout above 0"),
        ({"net": NetSettings("unet", 8, conditional=True)}, "points of dimension 8 need net.kind=mlp"),
        ({"data": DataSettings("mixture", n=8, size=8)}, "data.size must be null for points"),
        ({"data": DataSettings("digits", n=8, parameter=1.0)}, "data.parameter belongs to a law"),
        ({"data": DataSettings("orl-faces", n=8, class_weights=(1.0, 1.0))}, "orl-faces has no labels"),
        (
            {"data": DataSettings("digits", n=400, class_weights=(4.0, 1.0))},
            "n=400 is more than the .* in these shares",
        ),
        ({"diffusion": DiffusionSettings("interpolant")}, "must be velocity or data for the interpolant schedule"),
    ],
)
def test_rejects_settings_that_do_not_fit(tmp_path, changed, message):
    with pytest.raises(GenwindowError, match=message):
        execute(dataclasses.replace(config(), **changed), tmp_path / "run")
    assert not (tmp_path / "run").exists()
