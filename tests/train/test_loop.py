import math

import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion import NetworkDenoiser, named_schedule
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import ResidualMLP
from genwindow.train import EMA, Diverged, batch_indices, build_optimizer, resolve_device, train_steps


def setting(optimizer="adam", lr=1e-3, ema=0.9, dropout=0.0, n=20):
    torch.manual_seed(0)
    network = ResidualMLP((6,), 16, 1)
    if dropout:
        network = Dropping(dropout)
    denoiser = NetworkDenoiser(network, named_schedule("linear"))
    images = torch.randn(n, 6, generator=keyed_generator("images"))
    parts = denoiser, build_optimizer(denoiser.parameters(), optimizer, lr), EMA(denoiser, ema)
    return images, *parts


class Dropping(torch.nn.Module):
    def __init__(self, rate):
        super().__init__()
        self.inner = torch.nn.Linear(6, 6)
        self.drop = torch.nn.Dropout(rate)

    def forward(self, x, conditioning):
        return self.drop(self.inner(x))


def weights(denoiser):
    return torch.cat([p.detach().flatten() for p in denoiser.parameters()])


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_stop_and_resume_equals_an_unbroken_run_bit_for_bit(optimizer, dropout):
    images, whole, whole_optimizer, whole_ema = setting(optimizer, dropout=dropout)
    losses = [r.loss for r in train_steps(whole, images, whole_optimizer, steps=13, batch=8, seed=5, ema=whole_ema)]

    images, first, first_optimizer, first_ema = setting(optimizer, dropout=dropout)
    begun = [r.loss for r in train_steps(first, images, first_optimizer, steps=6, batch=8, seed=5, ema=first_ema)]
    state = first.state_dict(), first_optimizer.state_dict(), first_ema.state_dict()

    images, second, second_optimizer, second_ema = setting(optimizer, dropout=dropout)
    torch.manual_seed(99)  # the global state must not matter
    second.load_state_dict(state[0])
    second_optimizer.load_state_dict(state[1])
    second_ema.load_state_dict(state[2])
    rest = train_steps(second, images, second_optimizer, steps=13, batch=8, seed=5, ema=second_ema, start=6)
    assert begun + [r.loss for r in rest] == losses
    assert torch.equal(weights(second), weights(whole))
    with second_ema.applied(), whole_ema.applied():
        assert torch.equal(weights(second), weights(whole))


def test_training_leaves_the_global_random_state_alone():
    images, denoiser, optimizer, ema = setting(dropout=0.5)
    before = torch.get_rng_state()
    list(train_steps(denoiser, images, optimizer, steps=3, batch=8, seed=5, ema=ema))
    assert torch.equal(before, torch.get_rng_state())


def test_records_count_steps_and_images():
    images, denoiser, optimizer, _ = setting()
    records = list(train_steps(denoiser, images, optimizer, steps=3, batch=8, seed=5))
    assert [(r.step, r.samples) for r in records] == [(1, 8), (2, 16), (3, 24)]
    assert [r.samples for r in train_steps(denoiser, images, optimizer, steps=5, batch=0, seed=5, start=4)] == [100]


def test_an_epoch_uses_every_image_once_when_batches_divide():
    seen = torch.cat([batch_indices(24, 8, 3, step) for step in range(3)])
    assert sorted(seen.tolist()) == list(range(24))
    following = torch.cat([batch_indices(24, 8, 3, step) for step in range(3, 6)])
    assert sorted(following.tolist()) == list(range(24)) and not torch.equal(seen, following)


def test_a_batch_is_never_larger_than_the_set():
    assert len(batch_indices(5, 512, 0, 7)) == 5


def test_limit_one_image_can_be_learned():
    torch.manual_seed(0)
    denoiser = NetworkDenoiser(ResidualMLP((6,), 32, 1), named_schedule("linear"), "data")
    optimizer = build_optimizer(denoiser.parameters(), "adam", 3e-3)
    image = torch.randn(1, 6, generator=keyed_generator("one")).expand(64, 6)
    losses = [r.loss for r in train_steps(denoiser, image, optimizer, steps=400, batch=0, seed=0)]
    assert losses[-1] < 0.01 * losses[0]


def test_fixed_diffusion_time_is_the_only_one_used():
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, x, conditioning):
            seen.append(conditioning)
            return self.scale * x

    denoiser = NetworkDenoiser(Spy(), named_schedule("linear"))
    images = torch.ones(4, 6)
    optimizer = build_optimizer(denoiser.parameters(), "sgd", 1e-3)
    list(train_steps(denoiser, images, optimizer, steps=2, batch=0, seed=0, fixed_t=50))
    assert torch.cat(seen).unique().tolist() == [50.0]
    with pytest.raises(GenwindowError, match="fixed_t must be a number in"):
        list(train_steps(denoiser, images, optimizer, steps=2, batch=0, seed=0, fixed_t=2000))


def test_divergence_stops_before_the_step_with_its_number():
    images, denoiser, optimizer, _ = setting("sgd", lr=1e9)
    made = []
    with pytest.raises(Diverged, match=r"training diverged at step \d+ \(loss") as caught:
        for record in train_steps(denoiser, images, optimizer, steps=50, batch=8, seed=5):
            made.append(record.step)
    assert caught.value.step == len(made)
    assert all(math.isfinite(step) for step in made)


def test_nan_images_are_a_divergence_at_step_zero_and_leave_the_weights():
    images, denoiser, optimizer, _ = setting()
    before = weights(denoiser)
    with pytest.raises(Diverged, match="step 0"):
        list(train_steps(denoiser, images * math.nan, optimizer, steps=5, batch=8, seed=5))
    assert torch.equal(before, weights(denoiser))


def test_bfloat16_trains():
    images, denoiser, optimizer, _ = setting()
    records = list(train_steps(denoiser, images, optimizer, steps=3, batch=8, seed=5, precision="bfloat16"))
    assert len(records) == 3 and all(p.dtype == torch.float32 for p in denoiser.parameters())


def test_closed_form_moving_average():
    module = torch.nn.Linear(1, 1, bias=False)
    ema = EMA(module, 0.75)
    first = module.weight.item()
    with torch.no_grad():
        module.weight.fill_(10.0)
    ema.update()
    with ema.applied():
        assert module.weight.item() == pytest.approx(0.75 * first + 0.25 * 10)
    assert module.weight.item() == 10.0


def test_no_average_means_the_weights_themselves():
    module = torch.nn.Linear(2, 2)
    before = module.weight.detach().clone()
    with EMA(module, 0.0).applied():
        assert torch.equal(module.weight, before)


def test_rejects_bad_arguments():
    images, denoiser, optimizer, _ = setting()
    with pytest.raises(GenwindowError, match="images must hold at least one image"):
        next(train_steps(denoiser, images[:0], optimizer, steps=1, batch=1, seed=0))
    for given, options, message in (
        (images.long(), {}, "images must be floating-point numbers, got torch.int64"),
        (images, {"batch": -1}, "batch must be"),
        (images, {"fixed_t": 0.0}, "fixed_t must be"),
        (images, {"label_dropout": 2.0}, "label_dropout must be"),
        (images, {"labels": [0]}, "labels must be one for each of"),
        (images, {"labels": [0.5] * len(images)}, "labels must be whole numbers"),
    ):
        with pytest.raises(GenwindowError, match=message):
            next(train_steps(denoiser, given, optimizer, **{"steps": 1, "batch": 1, "seed": 0, **options}))
    with pytest.raises(GenwindowError, match="optimizer must be one of adam, sgd; got 'lion'"):
        build_optimizer(denoiser.parameters(), "lion", 1e-3)
    with pytest.raises(GenwindowError, match="device must be cpu, cuda"):
        resolve_device("tpu9")
    if not torch.cuda.is_available():
        with pytest.raises(GenwindowError, match="not on this machine"):
            resolve_device("cuda:7")
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
