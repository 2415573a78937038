"""From settings to the model: network, schedule, and the settings that must fit each other."""

from __future__ import annotations

import torch
from torch import nn

from genwindow.diffusion import NetworkDenoiser, named_schedule
from genwindow.errors import check
from genwindow.nets import ResidualMLP, UNet
from genwindow.runs.config import RunConfig
from genwindow.runs.data import RunData
from genwindow.runs.settings import NetSettings

MOST_CLASSES = 1 << 16

LEAST_SIGNAL = 1e-3
"""The least alpha at the longest diffusion time for noise and score predictions. Data are had from them by division by
alpha: on the cosine schedule (5e-5) every sample of a trained network is thrown far away in the first step."""


def build_network(settings: NetSettings, shape: tuple[int, ...], seed: int, classes: int = 0) -> nn.Module:
    """The network for images of `shape` (C, H, W) or points (d,), with initial weights that depend on `seed` only.

    Args:
        settings: of the network.
        shape: of one image.
        seed: of the initial weights.
        classes: how many the network can be told; used by a conditional one only.
    """
    classes = classes if settings.conditional else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if settings.kind == "mlp":
            return ResidualMLP(shape, settings.width, settings.blocks, classes)
        check(len(shape) == 3, f"the unet is for images; points of dimension {shape[0]} need net.kind=mlp")
        network = UNet(shape[0], settings.width, dropout=settings.dropout, classes=classes)
        divisible = all(side % network.factor == 0 for side in shape[1:])
        check(
            divisible,
            f"the unet needs images whose sides are divisible by {network.factor}, got {shape[2]}x{shape[1]}; "
            f"set data.size",
        )
        return network


def build_denoiser(config: RunConfig, shape: tuple[int, ...], classes: int = 0) -> NetworkDenoiser:
    """Network, schedule and what is predicted."""
    network = build_network(config.net, shape, config.train.seed, classes)
    return NetworkDenoiser(network, named_schedule(config.diffusion.schedule), config.diffusion.prediction)


def check_run(config: RunConfig, data: RunData) -> None:
    """Raise where settings do not fit each other or the data."""
    schedule = named_schedule(config.diffusion.schedule)
    signal = float(schedule.alpha(torch.tensor(schedule.t_max)))
    check(
        signal >= LEAST_SIGNAL or config.diffusion.prediction in ("velocity", "data"),
        f"diffusion.prediction must be velocity or data for the {schedule.name} schedule, got "
        f"{config.diffusion.prediction}: samples begin where alpha = {signal:.1g}, by which its errors are divided",
    )
    train, measure, conditional = config.train, config.measure, config.net.conditional
    if train.fixed_t is not None:
        schedule.check_time(train.fixed_t, "train.fixed_t")
        check(
            measure.samples == 0,
            "train.fixed_t makes a network of one diffusion time, which cannot generate: set measure.samples to 0 "
            "too, in a new folder",
        )
    steps = measure.sampler_steps
    check(
        steps is None or not schedule.discrete or steps <= schedule.t_max,
        f"measure.sampler_steps must be at most {schedule.t_max:g} for the {schedule.name} schedule, got {steps}",
    )
    check(
        not conditional or data.train_labels is not None,
        f"net.conditional needs the class of every image; {data.source} has no labels"
        + ("; if its sub-folders are the classes, say data.groups=classes" if data.groups else ""),
    )
    least = 0 if data.train_labels is None else int(data.train_labels.min())
    check(
        not conditional or least >= 0,
        f"net.conditional needs classes from 0; {data.source} has the label {least}",
    )
    check(
        not conditional or data.classes <= MOST_CLASSES,
        f"net.conditional needs classes numbered without large gaps, at most {MOST_CLASSES} with the unused numbers "
        f"between them; {data.source} has the label {data.classes - 1}",
    )
    check(conditional or train.label_dropout == 0, "train.label_dropout needs net.conditional=true")
    check(conditional or not measure.guidance, "measure.guidance needs net.conditional=true")
    check(
        not measure.guidance or train.label_dropout > 0,
        "measure.guidance needs train.label_dropout above 0: it uses the network without labels too",
    )
    also = bool(measure.also_samplers or measure.guidance)
    check(measure.samples > 0 or not also, "measure.guidance and measure.also_samplers need measure.samples above 0")
