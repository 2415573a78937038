"""New images from the weights a run has kept."""

import dataclasses

import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.runs import (
    DataSettings,
    MeasureSettings,
    NetSettings,
    RunConfig,
    RunFolder,
    TrainSettings,
    draw_samples,
    execute,
)
from genwindow.runs.build import build_denoiser
from genwindow.runs.data import build_data


def small(**net):
    return RunConfig(
        data=DataSettings("digits", 16, heldout=40, reference=40),
        net=NetSettings("mlp", 32, 1, **net),
        train=TrainSettings(steps=60, batch=8, ema=0.9, label_dropout=0.2 if net else 0.0),
        measure=MeasureSettings(first=10, per_octave=1, samples=48, sampler_steps=5, loss_images=16, loss_draws=1),
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "plain"
    execute(small(), folder)
    return folder


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "told"
    execute(small(conditional=True), folder)
    return folder


def test_the_network_has_the_weights_of_the_file_and_images_get_their_mean_back(plain, monkeypatch):
    seen = []

    def nothing(model, shape, generator, **options):
        seen.append((model.network.state_dict(), options))
        return torch.zeros(shape)

    monkeypatch.setattr("genwindow.runs.draw.sample", nothing)
    found = draw_samples(plain, 3, weights="final")
    step, weights = RunFolder(plain).read_snapshot("final")
    ((used, options),) = seen
    assert step == found.step == 60 and options["steps"] == 5 and options["sampler"] == "ddim"
    assert all(torch.equal(used[name], value) for name, value in weights.items())
    assert np.array_equal(found.images, build_data(small().data).display(torch.zeros(3, 1, 8, 8)))
    fresh = build_denoiser(small(), (1, 8, 8)).network.state_dict()
    assert not all(torch.equal(fresh[name], value) for name, value in weights.items())


def test_the_same_seed_gives_the_same_images_and_another_one_others(plain):
    one = draw_samples(plain, 4)
    assert one.images.shape == (4, 8, 8, 1) and one.images.dtype == np.uint8 and one.labels is None
    assert np.array_equal(one.images, draw_samples(plain, 4).images)
    assert not np.array_equal(one.images, draw_samples(plain, 4, seed=1).images)
    assert not any(np.array_equal(one.images, frame[:4]) for frame in RunFolder(plain).read_gallery().generated)


def test_classes_are_drawn_as_in_the_training_set_or_as_asked(told):
    shares = np.bincount(build_data(small().data).train_labels, minlength=10)
    assert np.bincount(draw_samples(told, 16).labels, minlength=10).tolist() == shares.tolist()
    three = draw_samples(told, 5, label=3)
    assert three.labels.tolist() == [3] * 5
    assert not np.array_equal(three.images, draw_samples(told, 5, label=3, guidance=2.0).images)


def test_points_come_as_the_network_gives_them(tmp_path):
    config = dataclasses.replace(small(), data=DataSettings("mixture", 16, heldout=40, reference=40))
    execute(config, tmp_path / "run")
    found = draw_samples(tmp_path / "run", 6)
    assert found.images.shape == (6, 8) and found.images.dtype == np.float32


def test_rejects_what_the_run_does_not_have(plain, told, tmp_path):
    with pytest.raises(GenwindowError, match="has no weights 'stop'; there are best, final"):
        draw_samples(plain, 3, weights="stop")
    with pytest.raises(GenwindowError, match="knows no classes"):
        draw_samples(plain, 3, label=1)
    with pytest.raises(GenwindowError, match="label must be"):
        draw_samples(told, 3, label=10)
    missing = sorted(set(range(10)) - set(build_data(small().data).train_labels.tolist()))
    with pytest.raises(GenwindowError, match="label must be a class that the network was trained on"):
        draw_samples(told, 3, label=missing[0])
    with pytest.raises(GenwindowError, match="weights must be one of"):
        draw_samples(plain, 3, weights="worst")
    with pytest.raises(GenwindowError, match="holds no run"):
        draw_samples(tmp_path, 3)


def test_rejects_samples_that_are_not_finite(plain, told, monkeypatch):
    with pytest.raises(GenwindowError, match=r"^3 of 3 samples are NaN or infinite: guidance 1e\+30 may be too large$"):
        draw_samples(told, 3, guidance=1e30)
    broken = torch.zeros(3, 1, 8, 8)
    broken[1, 0, 2, 2] = torch.inf
    monkeypatch.setattr("genwindow.runs.draw.sample", lambda *given, **options: broken)
    with pytest.raises(GenwindowError, match="^1 of 3 samples are NaN or infinite: training may have diverged$"):
        draw_samples(plain, 3)


def test_images_that_are_not_where_they_were_are_named_with_their_run(tmp_path, monkeypatch):
    np.save(tmp_path / "own.npy", np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8))
    monkeypatch.chdir(tmp_path)
    own = dataclasses.replace(small(), data=dataclasses.replace(small().data, source="own.npy", n=10))
    own = dataclasses.replace(own, data=dataclasses.replace(own.data, heldout=20, reference=20))
    execute(dataclasses.replace(own, train=dataclasses.replace(own.train, steps=2, batch=4)), tmp_path / "run")
    assert draw_samples(tmp_path / "run", 2, weights="final").images.shape == (2, 8, 8, 1)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = "the images of .*/run, which must be where they were .* is read from here.: .* called 'own.npy'"
    with pytest.raises(GenwindowError, match=said):
        draw_samples(tmp_path / "run", 2, weights="final")
