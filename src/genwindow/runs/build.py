"""From settings to parts: the only place where data, network, schedule and monitor are wired together."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genwindow.data import Centring, Images, find_duplicates, open_images, split
from genwindow.diffusion import NetworkDenoiser, Schedule, named_schedule, noise_error, sample
from genwindow.errors import check
from genwindow.monitor import Monitor
from genwindow.nets import ResidualMLP, UNet
from genwindow.runs.config import DataSettings, NetSettings, RunConfig
from genwindow.train import EMA


@dataclass(frozen=True)
class RunData:
    """The images of one run, divided and centred.

    Attributes:
        images: the whole set, as read.
        train: (n, C, H, W) training images, centred by their own mean image.
        heldout: (m, C, H, W) held-out images, centred by the same mean.
        reference: (k, C, H, W) further real images, centred likewise.
        train_index: (n,) which of `images` the training images are.
        centring: takes centred images back for display.
        duplicates: exact copies among the training images, beyond the first of each.
    """

    images: Images
    train: Tensor
    heldout: Tensor
    reference: Tensor
    train_index: list[int]
    centring: Centring
    duplicates: int


def build_data(settings: DataSettings) -> RunData:
    """Read, divide and centre the images."""
    images = open_images(settings.source, size=settings.size, channels=settings.channels)
    parts = split(images, settings.n, seed=settings.seed, heldout=settings.heldout, reference=settings.reference)
    centring = Centring.fit(images.pixels[parts.train])
    train, heldout, reference = (
        torch.from_numpy(centring.apply(images.pixels[index]))
        for index in (parts.train, parts.heldout, parts.reference)
    )
    duplicates = find_duplicates(images.pixels[parts.train]).count
    return RunData(images, train, heldout, reference, parts.train.tolist(), centring, duplicates)


def build_network(settings: NetSettings, shape: tuple[int, ...], seed: int) -> nn.Module:
    """The network for images of `shape` (C, H, W), with initial weights that depend on `seed` only."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if settings.kind == "mlp":
            return ResidualMLP(shape, settings.width, settings.blocks)
        network = UNet(shape[0], settings.width, dropout=settings.dropout)
        divisible = all(side % network.factor == 0 for side in shape[1:])
        check(
            divisible,
            f"the unet needs images whose sides are divisible by {network.factor}, got {shape[2]}x{shape[1]}; "
            f"set data.size",
        )
        return network


def build_denoiser(config: RunConfig, shape: tuple[int, ...]) -> NetworkDenoiser:
    """Network, schedule and what is predicted."""
    network = build_network(config.net, shape, config.train.seed)
    return NetworkDenoiser(network, named_schedule(config.diffusion.schedule), config.diffusion.prediction)


def loss_times(config: RunConfig, schedule: Schedule) -> tuple[float, ...]:
    """The fixed diffusion times of the losses in the schedule's clock (whole steps where it is discrete)."""
    times = (share * schedule.t_max for share in config.measure.loss_times)
    return tuple(dict.fromkeys(max(round(t), 1) if schedule.discrete else t for t in times))


def build_monitor(config: RunConfig, data: RunData, denoiser: NetworkDenoiser, ema: EMA) -> Monitor:
    """The monitor of our own runs: loss and samples from the (averaged) weights."""
    device = next(denoiser.parameters()).device
    measure = config.measure
    shape = tuple(data.train.shape[1:])

    def loss(x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        with ema.applied():
            return noise_error(denoiser, x.to(device), t, generator).cpu()

    def draw(count: int, generator: torch.Generator) -> Tensor:
        with ema.applied():
            return sample(
                denoiser, (count, *shape), generator,
                sampler=measure.sampler, steps=measure.sampler_steps, device=device,
            )  # fmt: skip

    return Monitor(
        data.train,
        data.heldout,
        loss=loss,
        sample=draw,
        reference=data.reference,
        times=loss_times(config, denoiser.schedule),
        first=measure.first,
        per_octave=measure.per_octave,
        samples=measure.samples,
        threshold=measure.threshold,
        loss_images=measure.loss_images,
        loss_draws=measure.loss_draws,
        modules=(denoiser,),
        seed=config.train.seed,
    )
