"""Small hosts for a monitor: a network in which the random state and buffers matter, and its images."""

import re
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import nn

from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor

SHAPE = (1, 4, 4)
TRAIN = torch.randn(24, *SHAPE, generator=keyed_generator("train"))
HELDOUT = torch.randn(20, *SHAPE, generator=keyed_generator("heldout"))
STEPS = 24


class Network(nn.Module):
    """Predicts noise; dropout draws from the global random state, batch normalization keeps buffers."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(17, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Dropout(0.2), nn.Linear(32, 32), nn.SiLU(),
            nn.Linear(32, 16),
        )  # fmt: skip

    def forward(self, x, t):
        return self.layers(torch.cat([x.flatten(1), t[:, None].to(x)], 1)).reshape(x.shape)


def error(network, x, t, noise):
    t = t.to(x)
    noisy = torch.cos(t)[:, None, None, None] * x + torch.sin(t)[:, None, None, None] * noise
    return (network(noisy, t) - noise).square().flatten(1).mean(1)


def batch_error(network, x):
    """What a host trains on, drawn from the global random state."""
    return error(network, x, torch.rand(len(x)) + 0.1, torch.randn_like(x)).mean()


def watching(network, **settings):
    """A monitor of a network, measuring at steps 4, 6, 8, 11, 16, 23, ..."""

    def loss(x, t, generator):
        return error(network, x, t, torch.randn(x.shape, generator=generator))

    def sample(count, generator):
        torch.rand(3)  # what is drawn here must not be missing elsewhere
        x = torch.randn((count, *SHAPE), generator=generator)
        return x - network(x, torch.ones(count))

    settings = {
        "loss": loss, "sample": sample, "times": (0.3, 0.9), "first": 4, "per_octave": 2, "samples": 16,
        "loss_draws": 1, "modules": [network], **settings,
    }  # fmt: skip
    return Monitor(TRAIN, HELDOUT, **settings)


@contextmanager
def unchanged(*modules):
    """Fails when what is inside changes modes, weights, buffers, gradients or random states."""

    def look():
        return [
            (
                [m.training for m in module.modules()],
                {k: v.clone() for k, v in module.state_dict().items()},
                [None if p.grad is None else (p.grad, p.grad.clone()) for p in module.parameters()],
            )
            for module in modules
        ]

    before, random = look(), torch.get_rng_state()
    yield
    after = look()
    assert torch.equal(torch.get_rng_state(), random)
    for (modes, state, grads), (modes_after, state_after, grads_after) in zip(before, after, strict=True):
        assert modes == modes_after
        assert all(torch.equal(state[k], state_after[k]) for k in state)
        for grad, grad_after in zip(grads, grads_after, strict=True):
            assert (grad is None) == (grad_after is None)
            assert grad is None or (grad[0] is grad_after[0] and torch.equal(grad[1], grad_after[1]))


def same_weights(one, other):
    one, other = one.state_dict(), other.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def run_example(adapter):
    """Run the example of `docs/adapters.md` that imports an adapter, and return its names."""
    page = Path(__file__).parents[2] / "docs" / "adapters.md"
    blocks = re.findall(r"```py\n(.*?)```", page.read_text(), re.DOTALL)
    (block,) = (b for b in blocks if f"from genwindow.monitor.{adapter} import" in b)
    names = {"__name__": "example"}
    exec(compile(block, str(page), "exec"), names)  # our own documentation
    return names
