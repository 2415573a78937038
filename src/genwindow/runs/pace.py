"""The pace of a run on this machine: seconds for a training step and for a measuring time, found by making a few."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from genwindow.errors import check_number
from genwindow.runs.build import build_denoiser
from genwindow.runs.config import RunConfig
from genwindow.runs.work import measuring_passes, measuring_times
from genwindow.train import EMA, build_optimizer, resolve_device, train_steps

WARM_UP = 2
"""Steps before the clock starts: first steps also choose kernels and set memory aside."""

LEAST = 3
"""Steps that are timed at least, however long they take."""


@dataclass(frozen=True)
class Pace:
    """How fast a run goes.

    Attributes:
        step: seconds for a training step.
        measure: seconds for a measuring time.
    """

    step: float
    measure: float

    def seconds(self, config: RunConfig, steps: int) -> float:
        """Seconds for the first `steps` steps of a run with what is measured on the way."""
        return self.step * steps + self.measure * measuring_times(config, steps)


def measure_pace(config: RunConfig, shape: tuple[int, ...], *, classes: int = 0, seconds: float = 1.0) -> Pace:
    """Make a few steps on noise of the images' shape, with the threads that are set; nothing is written.

    A measuring time is reckoned as so many passes through the network (see `genwindow.runs.work`); one is made.

    Args:
        config: of the run.
        shape: of one image or point.
        classes: that the network is told, where it is.
        seconds: to spend on steps, about.
    """
    check_number("seconds", seconds, low=0)
    device = resolve_device(config.device)
    train, size = config.train, config.batch_size
    denoiser = build_denoiser(config, shape, classes).to(device).train()
    images = torch.randn(size, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.zeros(size, dtype=torch.int64, device=device) if config.net.conditional else None
    loop = train_steps(
        denoiser, images, build_optimizer(denoiser.parameters(), train.optimizer, train.lr, train.momentum),
        steps=10**9, batch=0, seed=0, labels=labels, ema=EMA(denoiser, train.ema), precision=config.precision,
    )  # fmt: skip
    for _ in range(WARM_UP):
        next(loop)
    _wait(device)
    began, made = time.perf_counter(), 0
    while made < LEAST or time.perf_counter() - began < seconds:
        next(loop)
        made += 1
    _wait(device)
    step = (time.perf_counter() - began) / made
    at_once = max(config.measure.samples, config.measure.loss_images)
    many = torch.randn(at_once, *shape, generator=torch.Generator().manual_seed(0)).to(device)
    t = torch.full((at_once,), float(denoiser.schedule.t_max // 2 or 0.5), dtype=torch.float64)
    told = torch.zeros(at_once, dtype=torch.int64, device=device) if config.net.conditional else None
    with torch.no_grad():
        denoiser.eval()
        for _ in range(2):  # the first warms up
            began = time.perf_counter()
            denoiser(many, t, told)
            _wait(device)
    return Pace(step, (time.perf_counter() - began) / at_once * measuring_passes(config))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
