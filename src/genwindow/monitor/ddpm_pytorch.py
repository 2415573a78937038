"""denoising-diffusion-pytorch: a loss and a sampler made from a `GaussianDiffusion`.

Used of it: `normalize`, `q_sample(x, t, noise=)`, `model_predictions(x, t).pred_noise`, `sample(batch_size=)`,
`sampling_timesteps`, `is_ddim_sampling`, `num_timesteps`, `betas`. Images are as its data loader gives them, in [0, 1];
diffusion times are 0 to num_timesteps - 1. The library is not imported here, and is not among what our tests install:
they run on a stand-in with the same interface. For averaged weights give `trainer.ema.ema_model`.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from genwindow.errors import check_integer
from genwindow.metrics.loss import LossCallable
from genwindow.monitor.samples import SampleCallable


def loss_of(diffusion: Any) -> LossCallable:
    """Mean squared error of the predicted noise, one number per image, whatever the objective.

    `p_losses` cannot be used for it: it returns one number for the batch.
    """

    def loss(x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        noise = torch.randn(x.shape, generator=generator).to(diffusion.betas.device)
        x, steps = diffusion.normalize(x.to(noise)), t.round().long().to(noise.device)
        noisy = diffusion.q_sample(x, steps, noise=noise)
        found = diffusion.model_predictions(noisy, steps).pred_noise
        return (found - noise).float().square().flatten(1).mean(1)

    return loss


def sampler_of(diffusion: Any, *, steps: int | None = None) -> SampleCallable:
    """Its own sampler, with `steps` steps where given; fewer than it trains with means DDIM.

    It draws from torch's global random state, which is set from the generator, and afterwards is as before.
    """
    if steps is not None:
        check_integer("steps", steps, low=1, high=diffusion.num_timesteps)

    def sample(count: int, generator: torch.Generator) -> Tensor:
        sampler = copy.copy(diffusion)  # shares the network; its number of steps is its own
        if steps is not None:
            sampler.sampling_timesteps, sampler.is_ddim_sampling = steps, steps < diffusion.num_timesteps
        device = diffusion.betas.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int(torch.randint(2**62, (), generator=generator)))
            return sampler.sample(batch_size=count).clone()  # no longer a tensor of inference mode

    return sample
