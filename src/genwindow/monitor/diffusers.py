"""Hugging Face diffusers: a loss and a sampler made from an unconditional model and its noise scheduler.

Those of a pipeline are `pipeline.unet` and `pipeline.scheduler`. Diffusion times are the scheduler's timesteps, from 0.
Images are as the model sees them, in [-1, 1] for pipelines. Needs the extra `diffusers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from genwindow.diffusion.predictions import spread
from genwindow.errors import check, check_choice, check_integer
from genwindow.metrics.loss import LossCallable
from genwindow.monitor.guest import swapped
from genwindow.monitor.samples import SampleCallable

try:
    from diffusers import DDIMScheduler
except ImportError as error:
    raise ImportError(
        f"genwindow.monitor.diffusers needs diffusers ({error}): pip install 'genwindow[diffusers]'"
    ) from None

BATCH = 256  # images that go through the model at once when sampling


def loss_of(model: nn.Module, scheduler: Any) -> LossCallable:
    """Mean squared error of the predicted noise, one number per image, in the same unit for every `prediction_type`.

    Args:
        model: such as `UNet2DModel`, also compiled or prepared.
        scheduler: that training adds noise with, such as `DDPMScheduler`; only read.

    Raises:
        GenwindowError: when the scheduler has no signal levels, or an unknown `prediction_type`.
    """
    levels, kind = _checked(scheduler)

    def loss(x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        noise, where = torch.randn(x.shape, generator=generator), next(model.parameters())
        x, noise, step = x.to(where), noise.to(where), t.round().long().cpu()
        alpha, sigma = spread(levels[step].sqrt(), x), spread((1 - levels[step]).sqrt(), x)
        noisy = alpha * x + sigma * noise
        output = _output(model, noisy, step)
        if kind != "epsilon":
            output = alpha * output + sigma * noisy if kind == "v_prediction" else (noisy - alpha * output) / sigma
        return (output - noise).float().square().flatten(1).mean(1)

    return loss


def sampler_of(model: nn.Module, scheduler: Any, shape: Sequence[int], *, steps: int = 50) -> SampleCallable:
    """Images of `shape` (C, H, W) by DDIM in `steps` steps, with a scheduler made from the settings of the host's."""
    ddim = DDIMScheduler.from_config(scheduler.config)
    ddim.set_timesteps(check_integer("steps", steps, low=1, high=len(_checked(scheduler)[0])))

    def sample(count: int, generator: torch.Generator) -> Tensor:
        done = []
        for x in torch.randn((count, *shape), generator=generator).to(next(model.parameters())).split(BATCH):
            for t in ddim.timesteps:
                x = ddim.step(_output(model, x, t), t, x).prev_sample
            done.append(x)
        return torch.cat(done)

    return sample


def averaged_by(ema: Any, model: nn.Module) -> Callable[[], AbstractContextManager[None]]:
    """For `averaged=`: inside the block the model has the weights of an `EMAModel`, which itself is only read."""
    return lambda: swapped(model.parameters(), ema.shadow_params)


def _output(model: nn.Module, x: Tensor, t: Tensor) -> Tensor:
    return model(x, t.to(x.device), return_dict=False)[0][:, : x.shape[1]]  # without a learned variance


def _checked(scheduler: Any) -> tuple[Tensor, str]:
    levels = getattr(scheduler, "alphas_cumprod", torch.empty(0))
    check(len(levels) > 0, f"{type(scheduler).__name__} has no alphas_cumprod: give the DDPMScheduler of the training")
    kinds = ("epsilon", "sample", "v_prediction")
    return levels.cpu().clone(), check_choice("prediction_type", scheduler.config.prediction_type, kinds)
