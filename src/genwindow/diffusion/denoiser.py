"""A denoiser: anything that turns (x_t, t) into a `Prediction`; samplers, losses and guidance need nothing else."""

from __future__ import annotations

from typing import Protocol, final

import torch
from torch import Tensor, nn

from genwindow.data.mixture import GaussianMixture
from genwindow.diffusion.predictions import Kind, Prediction, to_prediction
from genwindow.diffusion.schedules import Schedule

NO_LABEL = -1
"""Stands for the class of an image whose class is not told."""


class Denoiser(Protocol):
    """Callable (x_t, t, label) -> Prediction with a `schedule`.

    x_t is (B, ...) on any device, t is (B,) in the schedule's clock, on the CPU in float64; label is (B,) class
    indices, `NO_LABEL` among them, or None for no label at all.
    """

    schedule: Schedule

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Prediction:
        """What is believed to have made x."""
        ...


@final
class NetworkDenoiser(nn.Module):
    """A network that was told what to predict.

    Args:
        network: callable (x, conditioning) or (x, conditioning, label) -> tensor like x; the conditioning is t
            stretched to [0, 1000].
        schedule: the noising process.
        prediction: what the network's output is.
    """

    def __init__(self, network: nn.Module, schedule: Schedule, prediction: Kind = "noise") -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.prediction: Kind = prediction

    def output(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """What the network itself returns, a `self.prediction`."""
        conditioning = self.schedule.conditioning(t).to(device=x.device, dtype=x.dtype)
        return self.network(x, conditioning) if label is None else self.network(x, conditioning, label)

    def forward(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Prediction:
        """The output read as noise and data."""
        return to_prediction(self.output(x, t, label), self.prediction, x, t, self.schedule)


@final
class ExactDenoiser:
    """The best denoiser there is for a known law: the posterior mean of a Gaussian mixture.

    Built from the training images themselves (`GaussianMixture.from_points`) it is the exact memorizing model: a
    network that reached it would return training images only (arXiv 2505.17638, section 2).
    """

    def __init__(self, mixture: GaussianMixture, schedule: Schedule) -> None:
        self.mixture = mixture
        self.schedule = schedule

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Prediction:
        """The posterior mean of the data, and the noise that goes with it; labels are not used."""
        t = torch.as_tensor(t, dtype=torch.float64)
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        data = self.mixture.data_mean(x, alpha, sigma)
        return to_prediction(data, "data", x, t, self.schedule)
