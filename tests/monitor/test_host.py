"""What a host can do wrong, and what small data show."""

import json

import numpy as np
import pytest
import torch
from tests.monitor.test_monitor import HELDOUT, TRAIN, Host, monitor

from genwindow import GenwindowError
from genwindow.curve import Estimate
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor
from genwindow.monitor.history import fingerprint


def state(watched):
    return json.dumps(watched.state_dict())


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"loss": lambda x, t, g: torch.zeros(())}, r"one number per image, shape \(40,\), got shape \(\)"),
        ({"sample": lambda n, g: torch.zeros(n - 1, 1, 4, 4)}, r"sample must return \(200, 1, 4, 4\), got \(199"),
        ({"sample": lambda n, g: np.zeros((n, 1, 4, 4))}, "sample must return a tensor, got ndarray"),
    ],
)
def test_a_wrong_shape_is_named_and_nothing_measured_is_lost(broken, message):
    host = Host()
    usual = {"loss": host.loss, "sample": host.sample}

    def call(name):
        return lambda *given: (broken if host.step > 150 else usual).get(name, usual[name])(*given)

    watched = Monitor(
        TRAIN, HELDOUT, loss=call("loss"), sample=call("sample"), times=(10.0,), first=100, per_octave=1, samples=200
    )
    host.step = 100
    watched.update(100)
    before = state(watched)
    host.step = 200
    with pytest.raises(GenwindowError, match=message):
        watched.update(200)
    assert state(watched) == before
    host.step = 120  # mended: the host goes on
    assert watched.measure(200).verdict.state == "before_window"


def test_rejects_steps_that_go_backwards():
    watched = monitor(Host())
    watched.update(200)
    with pytest.raises(GenwindowError, match="steps must not go backwards: measured at 200, now 150"):
        watched.update(150)
    assert watched.last_step == 200


def test_rejects_heldout_images_that_are_training_images():
    with pytest.raises(GenwindowError, match=r"2 of 122 held-out images are training images \(first: \[120\]\)"):
        Monitor(TRAIN, torch.cat([HELDOUT, TRAIN[:2]]), sample=Host().sample)


def test_a_loss_that_is_nan_does_not_end_the_training(caplog):
    host = Host()
    watched = monitor(host)
    watched.update(100)
    curves = watched.curves()
    watched._losses._loss = lambda x, t, g: torch.full((len(x),), torch.nan)
    found = watched.update(200).verdict
    assert found.state == "cannot_tell" and not found.should_stop and "loss is NaN or infinite at t = 10" in found.text
    assert watched.curves() == curves and "step 200" in caplog.text


def test_few_heldout_images_are_said():
    watched = Monitor(TRAIN, HELDOUT[:6], sample=Host().sample, samples=50)
    assert "Only 6 held-out images" in watched.update(100).verdict.text
    assert "46%" in watched.compute().text  # the exact bound of 0 of 6


def test_folds_take_the_place_of_heldout_images_and_are_called_weaker():
    host = Host()
    doubled = torch.cat([TRAIN, TRAIN[:5]])  # duplicates must not make real images look like copies
    watched = Monitor(doubled, holdout="kfold", loss=host.loss, sample=host.sample, times=(10.0,), samples=200)
    for host.step in range(1, 1001):
        watched.update(host.step)
    found = watched.compute()
    assert found.state == "memorizing" and "weaker evidence" in found.text
    assert watched.estimates()["floor"].value == 0 and watched.estimates()["floor"].text.startswith("0 copies")
    assert {c.name for c in watched.curves()} == {"train_loss", "f_mem", "frechet"}
    with pytest.raises(GenwindowError, match="holdout='kfold' takes no held-out images"):
        Monitor(TRAIN, HELDOUT, holdout="kfold", sample=host.sample)
    with pytest.raises(GenwindowError, match="or holdout='kfold' where none can be spared"):
        Monitor(TRAIN, sample=host.sample)


def test_more_samples_are_drawn_only_where_the_verdict_hangs_on_it():
    class Slow(Host):
        @property
        def share(self):
            return max(self.step - 400, 0) / 20_000

    host, drawn = Slow(), []

    def sample(count, generator):
        drawn.append((host.step, count))
        return host.sample(count, generator)

    watched = Monitor(TRAIN, HELDOUT, sample=sample, samples=256, most_samples=1024)
    for host.step in range(1, 801):
        watched.update(host.step)
    asked = {}
    for step, count in drawn:
        asked[step] = asked.get(step, 0) + count
    assert set(asked.values()) > {256} and max(asked.values()) <= 1024
    assert all(count == 256 for step, count in asked.items() if step <= 400)  # no copies yet
    f_mem = next(c for c in watched.curves() if c.name == "f_mem")
    width = dict(zip(f_mem.step.tolist(), (f_mem.high - f_mem.low).tolist(), strict=True))
    assert width[100] > 0.01  # 256 samples


def test_the_best_snapshot_comes_before_copies():
    host = Host()
    watched, kept = monitor(host), []
    for host.step in range(1, 2001):
        found = watched.update(host.step)
        if found is not None and found.best:
            kept.append(host.step)
    assert watched.best.step == kept[-1] and "before copying showed" in watched.best.why
    first = next(v.step for v in watched.verdicts if v.state == "memorizing")
    assert watched.best.step < first and watched.stop_step is not None and watched.stop_step <= first


def test_roundtrip_of_the_state_gives_the_same_verdicts():
    host = Host()
    whole, first = monitor(host), monitor(host)
    for host.step in range(1, 801):
        whole.update(host.step)
        if host.step <= 450:
            first.update(host.step)
    second = monitor(host)
    second.load_state_dict(json.loads(state(first)))
    for host.step in range(451, 801):
        second.update(host.step)
    assert state(second) == state(whole) and second.verdicts == whole.verdicts
    with pytest.raises(GenwindowError, match="no state of a monitor"):
        second.load_state_dict({"points": []})
    good = json.loads(state(whole))
    for damaged in (
        {"points": [{**good["points"][0], "value": "high"}]}, {"points": [{**good["points"][0], "step": None}]},
        {"points": [{"step": 1}]}, {"looks": [{"step": 1, "copies": "x", "drawn": 8}]}, {"looks": 3}, {"stop": "soon"},
        {"best": {"step": 3}}, {"verdicts": [3]}, {"next": None}, {"ratio_curve": 3},
    ):  # fmt: skip
        with pytest.raises(GenwindowError, match="no state of a monitor|this is no verdict|must be"):
            second.load_state_dict({**good, **damaged})
    with pytest.raises(GenwindowError, match="of other training or held-out images"):
        second.load_state_dict({**json.loads(state(whole)), "images": "0123456789abcdef"})
    assert state(second) == state(whole)
    second.load_state_dict({k: v for k, v in json.loads(state(whole)).items() if k != "images"})  # an older file
    assert state(second) == state(whole)


def test_a_fingerprint_tells_sets_of_images_apart():
    images = torch.randn(600, 1, 4, 4, generator=keyed_generator("images"))
    names = [
        fingerprint(images), fingerprint(images[:599]), fingerprint(images.flip(0)), fingerprint(images, None),
        fingerprint(images, images), fingerprint(images.flatten(1)), fingerprint(None), fingerprint(images[:0]),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert fingerprint(images) == fingerprint(images.double()) == fingerprint(images.clone())
    shuffled = images[torch.randperm(600, generator=keyed_generator("order"))]
    assert fingerprint(shuffled) != fingerprint(images)
    assert fingerprint(torch.zeros(2**24 + 4, 1)) != fingerprint(torch.zeros(2**24 + 3, 1))


def test_a_forecast_is_taken_up_and_a_logger_told():
    class Logger:
        def __init__(self):
            self.values, self.texts = [], []

        def log(self, values, step):
            self.values.append((step, values))

        def say(self, text, step):
            self.texts.append(text)

    host, logger = Host(), Logger()
    forecast = Estimate(410.0, 300.0, 560.0, "found", "power law", "")
    watched = monitor(host, forecast=forecast, logger=logger)
    plain = monitor(host)
    for host.step in range(1, 201):
        watched.update(host.step)
        plain.update(host.step)
    assert watched.compute().tau_mem.high < plain.compute().tau_mem.high
    assert [step for step, _ in logger.values] == [100, 141, 200] and len(logger.texts) == 3
    assert {"genwindow/f_mem", "genwindow/train_loss/t=10", "genwindow/should_stop"} <= set(logger.values[0][1])


def test_stable_ranks_are_followed_without_generation():
    weight = torch.eye(4)
    watched = Monitor(TRAIN, HELDOUT, weights={"middle": weight})
    assert watched.update(100).points[0].value == 4.0
    weight[1:] = 0
    watched.update(141)
    (curve,) = watched.curves()
    assert curve.name == "stable_rank:middle" and curve.value.tolist() == [4.0, 1.0]
    assert watched.compute().state == "cannot_tell"


def test_a_logger_that_fails_does_not_end_the_training(caplog):
    class Away:
        def log(self, values, step):
            raise ConnectionError("the server is away")

        say = log

    host = Host()
    watched = monitor(host, logger=Away())
    host.step = 100
    found = watched.update(100)
    assert found is not None and found.verdict.step == 100
    assert "the logger took nothing at step 100: ConnectionError('the server is away')" in caplog.text
