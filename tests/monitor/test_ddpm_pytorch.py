"""Callables from a `GaussianDiffusion` of denoising-diffusion-pytorch: a stand-in with the same interface.

The library itself needs torchvision, which is not among what the tests install.
"""

from typing import NamedTuple

import pytest
import torch
from tests.monitor.hosts import SHAPE, Network, same_weights, unchanged
from torch import nn

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor
from genwindow.monitor.ddpm_pytorch import loss_of, sampler_of

TRAIN = torch.rand(24, *SHAPE, generator=keyed_generator("train"))
HELDOUT = torch.rand(20, *SHAPE, generator=keyed_generator("heldout"))


class Predictions(NamedTuple):
    pred_noise: torch.Tensor
    pred_x_start: torch.Tensor


class Diffusion(nn.Module):
    """What the adapter uses of the library's class, and `p_losses` and `forward` for training."""

    def __init__(self, network, timesteps=40):
        super().__init__()
        self.model, self.num_timesteps = network, timesteps
        self.register_buffer("betas", torch.linspace(1e-3, 0.2, timesteps))
        self.register_buffer("levels", torch.cumprod(1 - self.betas, 0))
        self.sampling_timesteps, self.is_ddim_sampling = timesteps, False
        self.normalize, self.unnormalize = (lambda x: 2 * x - 1), (lambda x: (x + 1) / 2)
        self.used = []

    def mixed(self, t):
        level = self.levels[t].reshape(-1, 1, 1, 1)
        return level.sqrt(), (1 - level).sqrt()

    def q_sample(self, x_start, t, noise=None):
        alpha, sigma = self.mixed(t)
        return alpha * x_start + sigma * noise

    def model_predictions(self, x, t):
        alpha, sigma = self.mixed(t)
        noise = self.model(x, t / self.num_timesteps)
        return Predictions(noise, (x - sigma * noise) / alpha)

    def p_losses(self, x_start, t, noise=None):
        noise = torch.randn_like(x_start) if noise is None else noise
        found = self.model(self.q_sample(x_start, t, noise), t / self.num_timesteps)
        return (found - noise).square().mean()

    def forward(self, img):
        return self.p_losses(self.normalize(img), torch.randint(self.num_timesteps, (len(img),)))

    @torch.inference_mode()
    def sample(self, batch_size=16, return_all_timesteps=False):
        self.used.append((self.sampling_timesteps, self.is_ddim_sampling))
        x = torch.randn(batch_size, *SHAPE)
        times = torch.linspace(-1, self.num_timesteps - 1, self.sampling_timesteps + 1).int().flip(0).tolist()
        for now, then in zip(times[:-1], times[1:], strict=True):
            noise, data = self.model_predictions(x, torch.full((batch_size,), now))
            x = data if then < 0 else self.q_sample(data, torch.full((batch_size,), then), noise)
        return self.unnormalize(x)


def train(watched):
    torch.manual_seed(0)
    diffusion = Diffusion(Network())
    optimizer = torch.optim.Adam(diffusion.parameters(), 1e-2)
    monitor = Monitor(
        TRAIN, HELDOUT, loss=loss_of(diffusion), sample=sampler_of(diffusion, steps=5), times=(4, 20), first=4,
        per_octave=2, samples=16, modules=[diffusion],
    )  # fmt: skip
    for step in range(1, 13):
        optimizer.zero_grad()
        diffusion(TRAIN[torch.randint(len(TRAIN), (8,))]).backward()
        optimizer.step()
        if watched:
            with unchanged(diffusion):
                monitor.update(step)
    return diffusion, monitor


def test_weights_with_and_without_a_monitor_are_equal_bit_for_bit():
    (diffusion, monitor), (plain, _) = train(True), train(False)
    assert same_weights(diffusion, plain)
    assert [int(s) for s in monitor.curves()[0].step] == [4, 6, 8, 11]
    assert set(diffusion.used) == {(5, True)}
    assert (diffusion.sampling_timesteps, diffusion.is_ddim_sampling) == (40, False)


def test_agrees_with_the_loss_of_the_library():
    diffusion = Diffusion(Network()).eval()
    noise = torch.randn(TRAIN.shape, generator=keyed_generator("a"))
    at = torch.full((len(TRAIN),), 7)
    with torch.no_grad():
        found = loss_of(diffusion)(TRAIN, at.double(), keyed_generator("a"))
        wanted = diffusion.p_losses(diffusion.normalize(TRAIN), at, noise)
    assert found.shape == (24,)
    torch.testing.assert_close(found.mean(), wanted)


def test_samples_are_a_function_of_the_generator_alone():
    diffusion = Diffusion(Network()).eval()
    before = torch.get_rng_state()
    one, again = (sampler_of(diffusion)(3, keyed_generator("a")) for _ in range(2))
    assert torch.equal(one, again) and torch.equal(torch.get_rng_state(), before)
    assert not one.is_inference() and set(diffusion.used) == {(40, False)}
    assert not torch.equal(one, sampler_of(diffusion)(3, keyed_generator("b")))
    with pytest.raises(GenwindowError, match="steps must be a whole number of at least 1 and at most 40"):
        sampler_of(diffusion, steps=41)
