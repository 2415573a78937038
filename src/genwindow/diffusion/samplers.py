"""Samplers: from noise at t_max to data at t = 0, along a grid of diffusion times.

All of them move with the predicted pair (data, noise), from level (alpha, sigma) to the next:

    Euler, DDIM(0)   x' = x + (alpha' - alpha) data + (sigma' - sigma) noise
    Heun             the same with the mean of the predictions at both ends: the trapezoidal rule, order 2
    DDIM(eta)        part of the noise is replaced by fresh noise; eta = 1 is the posterior of the noising process
    DDPM             DDIM(1); with every step of a discrete schedule it is ancestral sampling with the lower variance

Because x = alpha data + sigma noise, the Euler step equals DDIM without fresh noise for every schedule, and for
rectified flow it is x + dt velocity. Every grid ends at exactly t = 0, where the sample is the predicted data.

Sources: Ho et al., arXiv 2006.11239, eq. 6-7; Song, Meng, Ermon, arXiv 2010.02502, eq. 12 and 16; Karras et al., arXiv
2206.00364, algorithm 1 (Heun).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from genwindow.data.classes import as_labels
from genwindow.diffusion.denoiser import Denoiser
from genwindow.diffusion.predictions import Prediction
from genwindow.diffusion.schedules import Schedule
from genwindow.errors import check, check_choice, check_integer, check_number

SamplerName = Literal["ddim", "ddpm", "heun", "euler"]


def sample(
    denoiser: Denoiser,
    shape: Sequence[int],
    generator: torch.Generator,
    *,
    sampler: SamplerName = "ddim",
    steps: int | None = None,
    eta: float = 0.0,
    label: Tensor | None = None,
    start: Tensor | None = None,
    batch: int = 1024,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Generate images.

    Args:
        denoiser: the model.
        shape: (N, ...) shape of the result.
        generator: CPU generator of the starting noise, which is drawn for all N images first, and of fresh noise, drawn
            batch by batch. Other N, or with fresh noise other batches, give other images.
        sampler: `ddim`, `ddpm`, `heun` or `euler`.
        steps: sampler steps; None takes those of `default_steps`: all of a discrete schedule, else 100.
        eta: share of fresh noise of `ddim`, in [0, 1].
        label: (N,) classes, or None.
        start: (N, ...) starting noise of unit variance, instead of drawing it.
        batch: how many images go through the model at once.
        device: where the model is.
        dtype: type of the images.

    Returns:
        (N, ...) images on the CPU.
    """
    check_choice("sampler", sampler, get_args(SamplerName))
    check_number("eta", eta, low=0, high=1)
    check(eta == 0 or sampler == "ddim", f"eta belongs to ddim, got eta = {eta} with {sampler}")
    check_integer("batch", batch, low=1)
    steps = default_steps(denoiser.schedule) if steps is None else steps
    times = denoiser.schedule.grid(check_integer("steps", steps, low=1))
    if start is None:
        start = torch.randn(tuple(shape), generator=generator, dtype=torch.float32)
    check(tuple(start.shape) == tuple(shape), f"start must have shape {tuple(shape)}, got {tuple(start.shape)}")
    label = None if label is None else as_labels("label", label, len(start))
    done = []
    with torch.no_grad():
        for first in range(0, len(start), batch):
            x = start[first : first + batch].to(device=device, dtype=dtype)
            part = None if label is None else label[first : first + batch].to(device)
            if sampler == "heun":
                done.append(_heun(denoiser, x, times, part).cpu())
            else:
                done.append(_ddim(denoiser, x, times, part, 1.0 if sampler == "ddpm" else eta, generator).cpu())
    return torch.cat(done) if done else start.to(dtype)


def default_steps(schedule: Schedule) -> int:
    """How many steps a sampler makes where it is not told: every one of a discrete schedule, else 100."""
    return int(schedule.t_max) if schedule.discrete else 100


def _predict(denoiser: Denoiser, x: Tensor, t: Tensor, label: Tensor | None) -> Prediction:
    return denoiser(x, t.expand(len(x)), label)


def _ddim(
    denoiser: Denoiser, x: Tensor, times: Tensor, label: Tensor | None, eta: float, generator: torch.Generator
) -> Tensor:
    schedule = denoiser.schedule
    for now, then in zip(times[:-1], times[1:], strict=True):
        noise, data = _predict(denoiser, x, now, label)
        alpha, sigma = float(schedule.alpha(then)), float(schedule.sigma(then))
        fresh = eta * _posterior_std(float(schedule.alpha(now)), float(schedule.sigma(now)), alpha, sigma)
        x = alpha * data + max(sigma**2 - fresh**2, 0.0) ** 0.5 * noise
        if fresh > 0:
            x = x + fresh * torch.randn(x.shape, generator=generator, dtype=torch.float32).to(x)
    return x


def _posterior_std(alpha: float, sigma: float, alpha_then: float, sigma_then: float) -> float:
    """Standard deviation of x_then given x_now and the data, for the Markov noising process."""
    ratio = alpha * sigma_then / (alpha_then * sigma)
    return sigma_then * max(1 - ratio**2, 0.0) ** 0.5


def _heun(denoiser: Denoiser, x: Tensor, times: Tensor, label: Tensor | None) -> Tensor:
    schedule = denoiser.schedule
    for now, then in zip(times[:-1], times[1:], strict=True):
        noise, data = _predict(denoiser, x, now, label)
        if then == 0:
            return data
        d_alpha = float(schedule.alpha(then) - schedule.alpha(now))
        d_sigma = float(schedule.sigma(then) - schedule.sigma(now))
        ahead = x + d_alpha * data + d_sigma * noise
        noise_ahead, data_ahead = _predict(denoiser, ahead, then, label)
        x = x + d_alpha * (data + data_ahead) / 2 + d_sigma * (noise + noise_ahead) / 2
    return x
