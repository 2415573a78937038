"""Classifier-free guidance: a denoiser made from a denoiser (Ho, Salimans, arXiv 2207.12598)."""

from __future__ import annotations

from typing import final

from torch import Tensor

from genwindow.diffusion.denoiser import Denoiser
from genwindow.diffusion.predictions import Prediction
from genwindow.errors import check, check_number


@final
class Guided:
    """(1 + weight) conditional - weight unconditional; weight 0 is the conditional denoiser itself, bit for bit.

    Args:
        denoiser: one that accepts a label, and None for no label. One that does not use its labels, such as an
            `ExactDenoiser` without classes, stays as it is.
        weight: guidance weight, 0 or more.
    """

    def __init__(self, denoiser: Denoiser, weight: float) -> None:
        self.denoiser = denoiser
        self.schedule = denoiser.schedule
        self.weight = check_number("weight", weight, low=0)

    def __call__(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Prediction:
        """The guided prediction for labels (B,)."""
        check(label is not None, "guidance needs a label for every image, got None")
        with_label = self.denoiser(x, t, label)
        if self.weight == 0:
            return with_label
        without = self.denoiser(x, t, None)
        w = self.weight
        return Prediction(*((1 + w) * c - w * u for c, u in zip(with_label, without, strict=True)))
