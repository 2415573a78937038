"""A denoiser: anything that turns (x_t, t) into a `Prediction`; samplers, losses and guidance need nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, final

import torch
from torch import Tensor, nn

from genwindow.data.classes import NO_LABEL, as_labels
from genwindow.data.mixture import GaussianMixture
from genwindow.data.points import Law
from genwindow.diffusion.predictions import Kind, Prediction, to_prediction
from genwindow.diffusion.schedules import Schedule
from genwindow.errors import check


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
        """The output read as noise and data, for times in [0, t_max]."""
        self.schedule.check_time(t)
        return to_prediction(self.output(x, t, label), self.prediction, x, t, self.schedule)


@final
class ExactDenoiser:
    """The best denoiser there is for a known law: the posterior mean of the data.

    Built from the training images themselves (`of_images`) it is the exact memorizing model: a network that reached it
    would return training images only (arXiv 2505.17638, section 2).

    Args:
        law: of the data, for example a `GaussianMixture`.
        schedule: the noising process.
        classes: the law of each class, which labels then choose; without them labels are not used.
    """

    def __init__(self, law: Law, schedule: Schedule, classes: Sequence[Law] = ()) -> None:
        self.law = law
        self.schedule = schedule
        self.classes = tuple(classes)

    @classmethod
    def of_images(cls, images: Tensor, schedule: Schedule, labels: Tensor | None = None) -> ExactDenoiser:
        """The empirical field of images (n, ...), and with labels (n,) from 0 without gaps that of each class."""
        members, count = [], 0
        if labels is not None and len(images):
            labels = as_labels("labels", labels, len(images)).to(images.device)
            count = int(labels.max()) + 1
            check(count > 0, "labels must name a class at least, got none")
            members = [images[labels == k] for k in range(count)]
        empty = [k for k, found in enumerate(members) if len(found) == 0]
        check(not empty, f"labels must name every class from 0 to {count - 1}; no image has {empty}")
        return cls(
            GaussianMixture.from_points(images), schedule, [GaussianMixture.from_points(found) for found in members]
        )

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Prediction:
        """The posterior mean of the data, and the noise that goes with it."""
        t = self.schedule.check_time(t)
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        if label is None or not self.classes:
            data = self.law.data_mean(x, alpha, sigma)
        else:
            label = as_labels("labels", label, len(x), len(self.classes)).cpu()
            data = self._by_class(x, alpha.expand(len(x)), sigma.expand(len(x)), label)
        return to_prediction(data, "data", x, t, self.schedule)

    def _by_class(self, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        """Each image by the law of its own class."""
        data = torch.empty_like(x)
        for k in label.unique().tolist():
            law = self.law if k == NO_LABEL else self.classes[k]
            rows = label == k
            data[rows.to(x.device)] = law.data_mean(x[rows.to(x.device)], alpha[rows], sigma[rows])
        return data
