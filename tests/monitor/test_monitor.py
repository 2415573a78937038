import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor, next_measuring_time

TRAIN = torch.randn(40, 1, 4, 4, generator=keyed_generator("train"))
HELDOUT = torch.randn(120, 1, 4, 4, generator=keyed_generator("heldout"))
REFERENCE = torch.randn(120, 1, 4, 4, generator=keyed_generator("reference"))


class Endless(Dataset):
    """A data set that, like many, does not say where it ends when its items are taken one by one."""

    def __len__(self):
        return len(TRAIN)

    def __getitem__(self, index):
        return TRAIN[index % len(TRAIN)], 0


class Host:
    """A made-up model that copies a growing share of its training images and whose train loss falls."""

    def __init__(self):
        self.step = 0

    @property
    def share(self):
        return min(max(self.step - 400, 0) / 1000, 1.0)

    def sample(self, count, generator):
        fresh = torch.randn((count, 1, 4, 4), generator=generator)
        copied = int(self.share * count)
        fresh[:copied] = TRAIN[torch.arange(copied) % len(TRAIN)]
        return fresh

    def loss(self, x, t, generator):
        noise = torch.rand(len(x), generator=generator)
        known = bool((x[0] == TRAIN[0]).all())
        return 0.5 + 0.1 * noise + t / 1000 - (0.3 * self.share if known else 0.0)


def monitor(host, **settings):
    settings = {"first": 100, "per_octave": 2, "samples": 200, "times": (10.0, 50.0, 200.0), **settings}
    return Monitor(TRAIN, HELDOUT, loss=host.loss, sample=host.sample, reference=REFERENCE, **settings)


def run(steps=2000, **settings):
    host = Host()
    watched = monitor(host, **settings)
    for step in range(1, steps + 1):
        host.step = step
        watched.update(step, 32 * step)
    return watched


def test_measuring_times_are_even_in_log_and_depend_on_the_step_alone():
    step, times = 0, []
    while step < 1600:
        step = next_measuring_time(step, 100, 2)
        times.append(step)
    assert times == [100, 141, 200, 283, 400, 566, 800, 1131, 1600]
    assert all(next_measuring_time(s, 100, 2) == next(t for t in times if t > s) for s in range(1599))
    dense = [next_measuring_time(s, 1, 32) for s in range(50)]
    assert all(later > s for s, later in enumerate(dense))


def test_finds_the_onset_of_a_host_that_copies_by_plan():
    watched = run()
    found = watched.estimates()["tau_mem"]
    assert found.status == "found"
    assert found.low <= 410 <= found.high  # the share passes 1 % at step 410
    f_mem = {c.name: c for c in watched.curves()}["f_mem"]
    assert f_mem.samples.tolist() == (32 * f_mem.step).tolist()
    planned = np.minimum(np.maximum(f_mem.step - 400, 0) / 1000, 1)
    assert np.abs(f_mem.value - planned).max() <= 0.01


def test_one_loss_curve_for_each_diffusion_time():
    watched = run(300)
    assert [(c.name, c.t) for c in watched.curves() if "loss" in c.name] == [
        (name, t) for name in ("train_loss", "heldout_loss") for t in (10.0, 50.0, 200.0)
    ]
    low, high = (c for c in watched.curves() if c.name == "heldout_loss" and c.t in (10.0, 200.0))
    assert high.value[0] - low.value[0] == pytest.approx(0.19, abs=0.02)


def test_the_same_noise_at_every_measuring_time():
    watched = run(400)
    heldout = [c for c in watched.curves() if c.name == "heldout_loss"]
    assert all(np.ptp(c.value) == 0 for c in heldout)  # the host's held-out loss never changes


def test_costs_nothing_between_measuring_times():
    host = Host()
    watched = monitor(host)
    assert watched.update(99) is None
    assert watched.update(100) is not None
    assert watched.update(140) is None


def test_the_host_gets_back_modes_and_random_state():
    host = Host()
    inner, outer = nn.Dropout(), nn.Sequential(nn.Linear(2, 2))
    outer.append(inner)
    outer.train()
    inner.eval()

    def greedy(count, generator):
        assert not outer.training
        torch.rand(3), np.random.rand(3), random.random()
        return host.sample(count, generator)

    watched = Monitor(TRAIN, HELDOUT, sample=greedy, samples=20, modules=[outer])
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    watched.update(100)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]
    assert random.getstate() == before[2]
    assert outer.training and outer[0].training and not inner.training


def test_modes_come_back_when_the_sampler_fails():
    module = nn.Linear(1, 1)

    def broken(count, generator):
        raise RuntimeError("no")

    watched = Monitor(TRAIN, HELDOUT, sample=broken, samples=20, modules=[module])
    with pytest.raises(RuntimeError, match="no"):
        watched.update(100)
    assert module.training and torch.is_grad_enabled()


def test_roundtrip_state_through_json_continues_the_same_curves():
    whole = run(900)
    host = Host()
    first = monitor(host)
    for step in range(1, 301):
        host.step = step
        first.update(step, 32 * step)
    second = monitor(host)
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    for step in range(301, 901):
        host.step = step
        second.update(step, 32 * step)
    assert second.curves() == whole.curves()
    assert second.estimates() == whole.estimates()


def test_measuring_again_at_one_step_replaces():
    host = Host()
    watched = monitor(host)
    watched.measure(100)
    watched.measure(100)
    assert all(len(c) == 1 for c in watched.curves())


def test_a_host_without_sampler_has_losses_only():
    host = Host()
    watched = Monitor(TRAIN, HELDOUT, loss=host.loss, times=(10.0,))
    watched.measure(100)
    assert {c.name for c in watched.curves()} == {"train_loss", "heldout_loss"}
    assert set(watched.estimates()) == {"tau_gen_loss", "tau_mem_loss"}


def test_one_training_image_is_ill_posed_not_wrong():
    host = Host()
    watched = Monitor(TRAIN[:1], HELDOUT, sample=host.sample, samples=20)
    watched.measure(100)
    found = watched.estimates()
    assert found["floor"].status == found["tau_mem"].status == "ill_posed"
    assert "f_mem" not in {c.name for c in watched.curves()}


def test_rejects_bad_hosts():
    host = Host()
    with pytest.raises(GenwindowError, match="train and heldout differ"):
        Monitor(TRAIN, HELDOUT[:, :, :2], sample=host.sample)
    with pytest.raises(GenwindowError, match="at least one diffusion time"):
        Monitor(TRAIN, HELDOUT, loss=host.loss)
    with pytest.raises(GenwindowError, match="estimate_t must be one of the times"):
        monitor(host, estimate_t=3.0)
    with pytest.raises(GenwindowError, match=r"sample must return \(20, 1, 4, 4\), got \(19, 1, 4, 4\)"):
        Monitor(TRAIN, HELDOUT, sample=lambda n, g: host.sample(n - 1, g), samples=20).measure(1)
    watched = monitor(host)
    watched.measure(100)
    with pytest.raises(GenwindowError, match="steps must not go backwards: measured at 100, now 50"):
        watched.measure(50)


def test_samples_that_are_not_finite_leave_the_host_alone_and_are_said(caplog):
    watched = Monitor(TRAIN, HELDOUT, sample=lambda n, g: torch.full((n, 1, 4, 4), torch.nan), samples=20)
    found = watched.update(100)
    assert found.verdict.state == "cannot_tell" and "diverged" in found.verdict.text and found.points == ()
    assert "NaN or infinite values at step 100" in caplog.text and watched.update(101) is None


def test_a_conditional_sampler_is_followed_class_by_class():
    host = Host()

    def sample(count, generator):
        images, labels = host.sample(count, generator), torch.arange(count) % 2
        order = torch.argsort(1 - labels, stable=True)  # copies stand first in `images`: all of class 1
        return images, labels[order]

    classes = torch.arange(len(HELDOUT)) % 2
    watched = Monitor(TRAIN, HELDOUT, sample=sample, samples=200, heldout_labels=classes)
    for host.step in range(1, 1201):
        watched.update(host.step)
    curves, found = {c.name: c for c in watched.curves()}, watched.estimates()
    assert curves["f_mem:class=1"].value[-1] == 1 and curves["f_mem:class=0"].value[-1] < 0.65
    mean = (curves["f_mem:class=0"].value + curves["f_mem:class=1"].value) / 2
    np.testing.assert_allclose(mean, curves["f_mem"].value)
    assert found["tau_mem:class=1"].value < found["tau_mem:class=0"].value
    assert found["floor:class=0"].high > 0


def test_variants_and_probes_have_curves_and_times_of_their_own():
    host = Host()

    class Error:
        t = np.array([1.0, 2.0])

        @property
        def value(self):
            return self.t * host.step

        low = high = value

    def slower(count, generator):
        images = torch.randn((count, 1, 4, 4), generator=generator)
        copied = int(host.share * count / 4)
        images[:copied] = TRAIN[torch.arange(copied) % len(TRAIN)]
        return images

    watched = monitor(host, variants={"guided": slower}, probes={"score_error": Error})
    for host.step in range(1, 1601):
        watched.update(host.step)
    curves, found = {(c.name, c.t): c for c in watched.curves()}, watched.estimates()
    assert curves["score_error", 2.0].value.tolist() == (2.0 * curves["score_error", 2.0].step).tolist()
    assert len(curves["frechet:guided", None]) == len(curves["f_mem:guided", None]) == len(curves["f_mem", None])
    assert found["tau_mem:guided"].value > found["tau_mem"].value
    assert found["tau_gen:guided"].method == found["tau_gen"].method


def test_a_variant_of_nan_loses_its_own_curves_only_and_is_named(caplog):
    def broken(count, generator):
        return torch.full((count, 1, 4, 4), torch.nan)

    whole, watched = monitor(Host()), monitor(Host(), variants={"w=9": broken, "w=1": Host().sample})
    whole.measure(100)
    found = watched.measure(100)
    assert "w=9: samples hold NaN or infinite values" in caplog.text
    assert found.verdict.state == whole.compute().state != "cannot_tell"
    names = {c.name for c in watched.curves()}
    assert {"f_mem", "frechet", "f_mem:w=1", "frechet:w=1"} <= names and not any("w=9" in name for name in names)


def test_rejects_variants_without_a_sampler_and_labels_that_do_not_fit():
    with pytest.raises(GenwindowError, match="variants need the sampler they vary"):
        Monitor(TRAIN, HELDOUT, variants={"guided": Host().sample})
    host = Host()
    watched = Monitor(TRAIN, HELDOUT, sample=lambda n, g: (host.sample(n, g), torch.zeros(3)), samples=20)
    with pytest.raises(GenwindowError, match="label for each of 20 images"):
        watched.update(100)


def test_held_out_images_are_looked_at_without_a_sampler_too():
    loss = Host().loss
    with pytest.raises(GenwindowError, match="40 of 40 held-out images are training images"):
        Monitor(TRAIN, TRAIN, loss=loss, times=(1.0,), split_level=0.2)
    with pytest.raises(GenwindowError, match="train and heldout differ"):
        Monitor(TRAIN, HELDOUT[:, :, :2], loss=loss, times=(1.0,))
    with pytest.raises(GenwindowError, match="holdout must be one of images, kfold; got 'folds'"):
        Monitor(TRAIN, HELDOUT, loss=loss, times=(1.0,), holdout="folds")


@pytest.mark.parametrize("number", [np.int64(100), torch.tensor(100)])
def test_steps_of_any_kind_are_kept_as_plain_numbers(number):
    watched = monitor(Host())
    watched.update(number, number)
    number += 7  # a host may count in place
    assert watched.last_step == 100 and json.loads(json.dumps(watched.state_dict()))["last"] == 100
    with pytest.raises(GenwindowError, match="step must be a whole number of at least 1, got 200.0"):
        watched.measure(200.0)


@pytest.mark.parametrize(
    "more",
    [
        {"weights": {"w": torch.full((2, 2), float("nan"))}},
        {"probes": {"p": lambda: SimpleNamespace(**dict.fromkeys(("t", "value", "low", "high"), [float("nan")]))}},
        {"embedding": lambda images: torch.as_tensor(images).flatten(1) * (float("inf") if EARLY[0] else 1.0)},
    ],
)
def test_whatever_is_not_finite_is_said_and_ends_nothing(more, caplog):
    EARLY[0] = False
    watched = monitor(Host(), **more)
    EARLY[0] = True
    assert watched.measure(100).verdict.state == "cannot_tell" and "has training diverged?" in watched.compute().text
    assert watched.curves() == () and watched.next_step == 141


EARLY = [False]


def test_samples_that_overflow_in_the_type_of_the_images_are_said(caplog):
    far = lambda count, generator: torch.full((count, 1, 4, 4), 1e6)  # noqa: E731
    watched = Monitor(TRAIN.half(), HELDOUT.half(), sample=far)
    assert "samples hold NaN or infinite values" in watched.measure(100).verdict.text


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_copies_of_integer_images_are_found(dtype):
    """Samples are real numbers near a training image, which would be cut off or wrap in the type of the images."""
    generator = torch.Generator().manual_seed(0)
    images = (torch.rand((84, 1, 8, 8), generator=generator) > 0.5).to(dtype) * (1 if dtype == torch.bool else 255)
    train, heldout = images[:64], images[64:]
    scale = 0.01 if dtype == torch.bool else 2.0

    def near_copies(n, g):
        return train[torch.arange(n) % 64].float() + scale * torch.randn((n, 1, 8, 8), generator=g)

    one = Monitor(train, heldout, sample=near_copies, first=1, samples=64)
    one.update(1)
    assert one.curves()[0].name == "f_mem" and one.curves()[0].value.tolist() == [1.0]
    same = Monitor(train.float(), heldout.float(), sample=near_copies, first=1, samples=64)
    assert one.constants["frechet_noise"] == same.constants["frechet_noise"]


def test_best_is_said_only_of_the_weights_at_hand():
    """Worse samples at a step measured again leave an earlier step the best: its weights are not those of now."""
    scale = {"now": 2.0}
    train, heldout = torch.randn(2, 64, 1, 4, 4, generator=torch.Generator().manual_seed(1))

    def spread(n, g):
        return scale["now"] * torch.randn((n, 1, 4, 4), generator=g)

    one = Monitor(train, heldout, sample=spread, first=1, samples=64)
    said = []
    for step, now in ((1, 2.0), (2, 1.0), (2, 3.0)):
        scale["now"] = now
        said.append((one.measure(step).best, one.best.step))
    assert said == [(True, 1), (True, 2), (False, 1)]


def test_rejects_steps_that_are_no_numbers_and_averaged_that_returns_no_block():
    host = Host()
    watched = Monitor(TRAIN, HELDOUT, sample=host.sample, averaged=lambda: 3)
    for step in ("a", 1.5, None):
        with pytest.raises(GenwindowError, match="step must be a whole number, got"):
            watched.update(step)
    with pytest.raises(GenwindowError, match="averaged must return a context manager, got int"):
        watched.measure(100)
    assert watched.last_step is None


def test_rejects_samples_that_are_not_images_with_a_whole_label_each():
    train, heldout = torch.randn(2, 8, 1, 4, 4)
    for extra, message in (
        ((1, 2), "got 3 things"),
        (([0.5] * 16,), r"one whole-number label for each of 16 images, got float32 of shape \(16,\)$"),
        (([[1, 2]] * 16,), r"one whole-number label for each of 16 images, got int64 of shape \(16, 2\)$"),
        ((["a"] * 16,), "labels of samples"),
    ):
        one = Monitor(train, heldout, sample=lambda n, g, extra=extra: (torch.randn(n, 1, 4, 4), *extra), samples=16)
        with pytest.raises(GenwindowError, match=message):
            one.measure(1)
        with pytest.raises(GenwindowError, match="step must be"):
            one.measure(0)


def test_a_second_call_at_a_step_replaces_best_and_stop_as_well():
    host = Host()
    watched = monitor(host)
    watched.measure(100)
    host.step = 1500  # all samples are copies now
    watched.measure(141)
    assert watched.stop_step == 141 and watched.best.step == 100
    host.step = 0
    watched.measure(141)
    assert watched.stop_step is None
    again = {p.step: p.value for c in watched.curves() if c.name == "frechet" for p in watched._found.points
             if p.name == "frechet"}  # fmt: skip
    assert watched.best.frechet == min(again.values())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sample": Host().sample}, "Copies can be told among two distinct training images"),
        ({"loss": Host().loss, "times": (1.0,), "heldout": None, "holdout": "kfold"}, "give held-out images with the"),
        ({"probes": {"p": lambda: SimpleNamespace(t=[1.0], value=[1.0], low=[1.0], high=[1.0])}}, "give a sampler, or"),
    ],
)
def test_why_nothing_can_be_told_is_said_by_its_name(given, message):
    settings = {"heldout": HELDOUT, **given}
    assert message in Monitor(TRAIN[:1], **settings).measure(100).verdict.text


def test_numpy_images_and_brain_floats_are_images():
    assert Monitor(TRAIN.numpy(), HELDOUT.numpy(), sample=Host().sample).measure(100).verdict.state == "before_window"
    folds = Monitor(TRAIN.bfloat16(), sample=Host().sample, holdout="kfold")
    assert folds.constants["floor"].found


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heldout": HELDOUT[:0]}, "heldout must hold at least one image"),
        ({"heldout": torch.full_like(HELDOUT, float("nan"))}, "heldout holds NaN"),
        ({"heldout_labels": torch.zeros(3)}, "heldout_labels must be one for each of 120"),
        ({"heldout_labels": torch.zeros(3, 2)}, r"of 120 held-out images, got float32 of shape \(3, 2\)$"),
        ({"modules": [1, "a"]}, "modules must be a list of torch modules, got int, str in it"),
        ({"modules": nn.Linear(2, 2)}, r"modules must be a list of torch modules, got Linear; write \[model\]"),
        ({"averaged": 3}, "averaged must be callable, got int"),
        ({"heldout": None, "holdout": "kfold", "heldout_labels": torch.zeros(3)}, "heldout_labels belong to held-out"),
        ({"forecast": (1, 2, 3)}, "forecast must be an Estimate, got tuple"),
        ({"times": (1.0, 1.0)}, "times must differ from one another"),
        ({"sample": None, "loss": None}, "nothing to measure: give sample, or loss"),
        ({"train": list(TRAIN)}, r"train must be one tensor \(n, ...\), got list; .* torch.stack"),
        ({"train": TensorDataset(TRAIN)}, r"train must be one tensor \(n, ...\), got TensorDataset; .* torch.stack"),
        ({"heldout": list(HELDOUT)}, r"heldout must be one tensor \(n, ...\), got list"),
        ({"reference": TensorDataset(HELDOUT)}, r"reference must be one tensor \(n, ...\), got TensorDataset"),
        ({"train": Endless()}, "train must be one tensor .* got Endless"),
        ({"train": torch.tensor(3)}, r"train must be one tensor .* got the single number tensor\(3\)"),
    ],
)
def test_rejects_by_the_name_that_was_given(settings, message):
    host = Host()
    settings = {
        "train": TRAIN,
        "heldout": HELDOUT,
        "sample": host.sample,
        "loss": host.loss,
        "times": (1.0,),
        **settings,
    }
    with pytest.raises(GenwindowError, match=message):
        Monitor(**settings)
