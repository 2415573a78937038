"""What is measured in our own runs: losses, samples, variants and errors to the exact score, from averaged weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from genwindow.curve import Estimate
from genwindow.data.classes import classes_in_shares
from genwindow.data.mixture import GaussianMixture
from genwindow.data.points import Law
from genwindow.diffusion import Denoiser, ExactDenoiser, Guided, NetworkDenoiser, Schedule, noise_error, sample
from genwindow.diffusion.samplers import SamplerName
from genwindow.metrics import DenoisingLoss, ScoreError, denoising_loss, score_error
from genwindow.monitor import Monitor
from genwindow.monitor.monitor import ProbeCallable, SampleCallable
from genwindow.runs.config import RunConfig
from genwindow.runs.data import RunData
from genwindow.train import EMA


def loss_times(config: RunConfig, schedule: Schedule) -> tuple[float, ...]:
    """The fixed diffusion times of the losses in the schedule's clock (whole steps where it is discrete), increasing.

    A network of one diffusion time is looked at there too.
    """
    times = (share * schedule.t_max for share in config.measure.loss_times)
    clock = {float(max(round(t), 1)) if schedule.discrete else t for t in times}
    fixed = config.train.fixed_t
    return tuple(sorted(clock if fixed is None else {fixed, *(t for t in clock if not math.isclose(t, fixed))}))


def asked_classes(data: RunData, count: int) -> Tensor:
    """(count,) classes to sample, in the proportion of the training set."""
    assert data.train_labels is not None
    shares = np.bincount(data.train_labels.numpy(), minlength=data.classes)
    return torch.from_numpy(classes_in_shares(shares, count))


def build_monitor(config: RunConfig, data: RunData, denoiser: NetworkDenoiser, ema: EMA) -> Monitor:
    """Losses at fixed diffusion times; samples, of every class for a conditional network; guided ones and those of
    further samplers as variants; where the law of the data is known, the error to its score and to the empirical one.
    """
    device = next(denoiser.parameters()).device
    measure, conditional = config.measure, config.net.conditional
    shape = tuple(data.train.shape[1:])

    def loss(x: Tensor, t: Tensor, generator: torch.Generator, label: Tensor | None = None) -> Tensor:
        told = None if label is None else label.to(device)
        return noise_error(denoiser, x.to(device), t, generator, told).cpu()

    def draw(model: Denoiser, sampler: SamplerName, count: int, generator: torch.Generator) -> Tensor:
        return sample(
            model, (count, *shape), generator,
            sampler=sampler, steps=measure.sampler_steps, device=device,
            label=asked_classes(data, count) if conditional else None,
        )  # fmt: skip

    def draw_classes(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return draw(denoiser, measure.sampler, count, generator), asked_classes(data, count)

    plain: SampleCallable = draw_classes if conditional else partial(draw, denoiser, measure.sampler)
    variants: dict[str, SampleCallable] = {
        **{name: partial(draw, denoiser, name) for name in measure.also_samplers},
        **{f"w={w:g}": partial(draw, Guided(denoiser, w), measure.sampler) for w in measure.guidance},
    }
    times = loss_times(config, denoiser.schedule)
    return Monitor(
        data.train,
        data.heldout,
        loss=None if conditional else loss,
        sample=plain if measure.samples else None,
        reference=data.reference,
        times=times,
        estimate_t=config.train.fixed_t,
        first=measure.first,
        per_octave=measure.per_octave,
        samples=measure.samples or 2,
        most_samples=_most_samples(config),
        every_process=False,  # of a crew the first one measures
        threshold=measure.threshold,
        loss_images=measure.loss_images,
        loss_draws=measure.loss_draws,
        heldout_labels=data.heldout_labels if conditional else None,
        variants=variants,
        probes={
            **(_losses_by_class(config, data, loss, times) if conditional else {}),
            **({} if data.law is None else _score_errors(config, data, data.law, denoiser, times)),
        },
        modules=(denoiser,),
        averaged=ema.applied,
        forecast=_forecast(config),
        seed=config.train.seed,
    )


def _most_samples(config: RunConfig) -> int | None:
    """As set; without a setting as many as the monitor thinks right (None) where it may stop the run, else no more."""
    measure = config.measure
    if measure.most_samples is not None or config.train.stop_in_window:
        return measure.most_samples
    return measure.samples or 2


def _forecast(config: RunConfig) -> Estimate | None:
    """When copying is expected to begin, where the settings say so."""
    if config.measure.forecast is None:
        return None
    low, value, high = config.measure.forecast
    return Estimate(value, low, high, "found", "pilots", "given in the settings")


def _losses_by_class(
    config: RunConfig, data: RunData, loss: Callable[..., Tensor], times: tuple[float, ...]
) -> dict[str, ProbeCallable]:
    """The training and held-out loss of a network that is told the class of each image."""
    measure = config.measure

    def probe(images: Tensor, labels: Tensor) -> DenoisingLoss:
        told = partial(loss, label=labels)  # one call sees all images, so that each keeps its label
        return denoising_loss(told, images, times, draws=measure.loss_draws, seed=config.train.seed, batch=len(images))

    sets = {"train_loss": (data.train, data.train_labels), "heldout_loss": (data.heldout, data.heldout_labels)}
    most = measure.loss_images
    return {
        name: partial(probe, images[:most], labels[:most])
        for name, (images, labels) in sets.items()
        if labels is not None and len(images[:most]) >= 2
    }


def _score_errors(
    config: RunConfig, data: RunData, law: Law, denoiser: NetworkDenoiser, times: tuple[float, ...]
) -> dict[str, ProbeCallable]:
    """The error to the score of the law at fresh points, and to that of the training points at training points.

    A network that is told classes is compared with the score of each point's class.
    """
    device, schedule = next(denoiser.parameters()).device, denoiser.schedule
    most, told = config.measure.loss_images, config.net.conditional
    train, heldout = data.train.to(device), data.heldout[:most].to(device)
    labels, fresh = (data.train_labels, data.heldout_labels) if told else (None, None)
    parts: list[GaussianMixture] = []
    if told:
        if not isinstance(law, GaussianMixture) or labels is None or len(labels.unique()) < len(law):
            return {}  # classes are components, and every one has points
        parts = [GaussianMixture(law.means[k : k + 1], law.std[k : k + 1]) for k in range(len(law))]
    exact = {
        "population": (ExactDenoiser(law, schedule, parts), heldout, fresh),
        "empirical": (ExactDenoiser.of_images(train, schedule, labels), train[:most], labels),
    }

    def probe(wanted: ExactDenoiser, points: Tensor, label: Tensor | None) -> ScoreError:
        label = None if label is None else label[: len(points)].to(device)
        return score_error(
            denoiser, wanted, points, times, label=label, draws=config.measure.loss_draws, seed=config.train.seed
        )

    return {f"score_error:{name}": partial(probe, *three) for name, three in exact.items() if len(three[1]) >= 2}
