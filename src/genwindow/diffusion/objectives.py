"""Objectives: how wrong a denoiser is on clean images x at times t with given noise, one number per image."""

from __future__ import annotations

import torch
from torch import Tensor

from genwindow.diffusion.denoiser import Denoiser, NetworkDenoiser
from genwindow.diffusion.predictions import Prediction, from_prediction, noised, spread


def training_loss(
    denoiser: NetworkDenoiser, x: Tensor, t: Tensor, noise: Tensor, label: Tensor | None = None
) -> Tensor:
    """(B,) mean squared error of the network's own output against its target.

    A score network is weighted by sigma(t)^2, as in denoising score matching, so that its loss is that of the noise.
    Times are not checked: this is called in every step of training.
    """
    schedule = denoiser.schedule
    output = denoiser.output(noised(x, t, noise, schedule), t, label)
    target = from_prediction(Prediction(noise, x), denoiser.prediction, t, schedule)
    error = output - target
    if denoiser.prediction == "score":
        error = error * spread(schedule.sigma(t), x)
    return error.square().flatten(1).mean(1)


def noise_error(
    denoiser: Denoiser, x: Tensor, t: Tensor, generator: torch.Generator, label: Tensor | None = None
) -> Tensor:
    """(B,) mean squared error of the predicted noise, the same unit for every kind of network; 1 is knowing nothing.

    This is L(t) of arXiv 2505.17638, eq. 3, per image. The noise is drawn from `generator` on the CPU, so it is the
    same on every device.
    """
    denoiser.schedule.check_time(t)
    noise = torch.randn(x.shape, generator=generator, dtype=torch.float32).to(device=x.device, dtype=x.dtype)
    predicted = denoiser(noised(x, t, noise, denoiser.schedule), t, label).noise
    return (predicted - noise).square().flatten(1).mean(1)
