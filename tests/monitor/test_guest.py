"""A monitor changes nothing about its host: plain PyTorch, with dropout, buffers, averages and a compiled model."""

import copy

import numpy as np
import pytest
import torch
from tests.monitor.hosts import SHAPE, STEPS, TRAIN, Network, batch_error, error, same_weights, unchanged, watching
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from genwindow import GenwindowError
from genwindow.monitor import as_guest, swapped


def train(watched, compiled=False):
    torch.manual_seed(0)
    network = Network()
    model = torch.compile(network, backend="eager") if compiled else network
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    monitor = watching(model, averaged=lambda: swapped(network.parameters(), average.module.parameters()))
    found = []
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        batch_error(model, TRAIN[torch.randint(len(TRAIN), (8,))]).backward()
        optimizer.step()
        average.update_parameters(network)
        if watched:
            with unchanged(model, network, average):
                found.append(monitor.update(step))
    return network, average, monitor, [m for m in found if m]


@pytest.mark.parametrize("compiled", [False, True])
def test_weights_with_and_without_a_monitor_are_equal_bit_for_bit(compiled):
    network, average, monitor, found = train(True, compiled)
    without, average_without, _, _ = train(False, compiled)
    assert [m.step for m in found] == [4, 6, 8, 11, 16, 23]
    assert same_weights(network, without) and same_weights(average, average_without)
    assert {c.name for c in monitor.curves()} >= {"f_mem", "frechet", "train_loss", "heldout_loss"}


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_weights_on_a_graphics_card_are_those_without_a_monitor(compiled):
    """The host draws batches, times, noise and dropout from the card's own random state."""

    def train_there(watched):
        torch.manual_seed(0)
        network, images = Network().cuda(), TRAIN.cuda()
        model = torch.compile(network, backend="eager") if compiled else network
        optimizer = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.9)

        def loss(x, t, generator):
            return error(model, x.cuda(), t.cuda(), torch.randn(x.shape, generator=generator).cuda())

        def sample(count, generator):
            torch.rand(3, device="cuda")
            x = torch.randn((count, *SHAPE), generator=generator).cuda()
            return x - model(x, torch.ones(count, device="cuda"))

        monitor, found = watching(model, loss=loss, sample=sample), []
        for step in range(1, STEPS + 1):
            x = images[torch.randint(len(images), (8,), device="cuda")]
            t, noise = torch.rand(8, device="cuda") + 0.1, torch.randn_like(x)
            optimizer.zero_grad()
            error(model, x, t, noise).mean().backward()
            optimizer.step()
            if watched:
                state = torch.cuda.get_rng_state()
                with unchanged(model, network):
                    found.append(monitor.update(step))
                assert torch.equal(torch.cuda.get_rng_state(), state)
        return network, monitor, [m for m in found if m]

    network, monitor, found = train_there(True)
    assert [m.step for m in found] == [4, 6, 8, 11, 16, 23]
    assert all(np.isfinite(curve.value).all() for curve in monitor.curves())
    assert same_weights(network, train_there(False)[0])


def test_averaged_weights_are_what_is_measured():
    network, average, monitor, _ = train(True)
    again = watching(average.module)
    average.module.load_state_dict({**network.state_dict(), **dict(average.module.named_parameters())})
    assert again.measure(99).points == monitor.measure(99).points
    assert watching(network).measure(99).points != monitor.measure(99).points


def test_buffers_come_back():
    network = Network().train()
    frozen = copy.deepcopy(network.state_dict())
    with as_guest([network]):
        network.layers[1].running_mean += 1
    assert all(torch.equal(frozen[k], v) for k, v in network.state_dict().items())


class Merging(torch.nn.Linear):
    """An adapter that merges into its layer on eval() and comes out on train(), as LoRA layers do."""

    merged = 0

    def train(self, mode=True):
        if self.training and not mode:
            self.merged += 1
        return super().train(mode)


class Counting(torch.nn.Module):
    """Counts its forwards in a buffer that it binds anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count = self.count + 1
        return x


def test_modules_that_do_more_on_eval_are_not_asked_to():
    layer = torch.nn.Sequential(Merging(2, 2))
    with as_guest([layer]):
        assert not layer[0].training
    assert layer[0].training and layer[0].merged == 0


def test_buffers_that_are_bound_anew_come_back():
    module = Counting()
    own = module.count
    with as_guest([module]):
        module(torch.zeros(1))
    assert module.count is own and float(own) == 0.0


def test_rejects_averages_of_another_model():
    with pytest.raises(GenwindowError, match="averages must match the 2 parameters in number and shape"):
        with swapped(torch.nn.Linear(2, 2).parameters(), torch.nn.Linear(2, 3).parameters()):
            pass
