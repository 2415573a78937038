"""The training loop: a generator of step records. Whoever consumes it measures, saves and stops.

Batches, diffusion times and noise at a step depend only on (seed, step), so a loop that starts at step k continues an
unbroken one bit for bit, given weights and optimizer state of step k.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genwindow.diffusion import NetworkDenoiser, training_loss
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import GenwindowError, check, check_integer
from genwindow.train.batch import batch_size, check_batches, draw_batch
from genwindow.train.crew import Crew
from genwindow.train.ema import EMA

DIVERGED = 1e3
"""Knowing nothing costs a loss of about 1; above this, training has diverged."""

ALONE = Crew()


@dataclass(frozen=True)
class StepRecord:
    """One gradient step, just made.

    Attributes:
        step: how many steps have been made.
        samples: how many training images have been seen, counting repetitions.
        loss: training loss of the batch before the step.
    """

    step: int
    samples: int
    loss: float


class Diverged(GenwindowError):
    """The loss is NaN, infinite or far above its start. The weights are those before the bad step.

    Attributes:
        step: the step that was not made.
        loss: before it.
    """

    def __init__(self, step: int, loss: float) -> None:
        super().__init__(f"training diverged at step {step} (loss {loss:g})")
        self.step, self.loss = step, loss


def train_steps(
    denoiser: NetworkDenoiser,
    images: Tensor,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    batch: int,
    seed: int,
    start: int = 0,
    fixed_t: float | None = None,
    labels: Tensor | None = None,
    label_dropout: float = 0.0,
    ema: EMA | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    crew: Crew = ALONE,
) -> Iterator[StepRecord]:
    """Train until `steps` steps have been made, yielding a record after each.

    Args:
        denoiser: the network and its schedule, in training mode.
        images: (n, ...) centred training images, on the device of the network.
        optimizer: over the network's parameters.
        steps: total number of steps, counted from step 0.
        batch: images per step; min(batch, n) are used, 0 means all of them.
        seed: of batches, diffusion times, noise, hidden classes and dropout.
        start: steps already made.
        fixed_t: train at this diffusion time only.
        labels: (n,) classes of the images, on their device, for a network that is told them.
        label_dropout: share of the classes that the network is not told, so that it also learns to go without.
        ema: moving average to update.
        precision: `bfloat16` runs the network under autocast.
        crew: the processes that share every batch.

    Raises:
        Diverged: when the loss is not finite or exceeds `DIVERGED`; the step is not made.
        GenwindowError: when batches cannot be drawn; see `check_batches`.
    """
    check_integer("steps", steps, low=0)
    schedule = denoiser.schedule
    labels = check_batches(images, schedule, batch=batch, fixed_t=fixed_t, labels=labels, label_dropout=label_dropout)
    size = batch_size(batch, len(images))
    check(crew.world <= size, f"{crew.world} processes need a batch of as many images at least, got {size}")
    device = images.device
    drops = any(isinstance(m, torch.nn.modules.dropout._DropoutNd) and m.p > 0 for m in denoiser.modules())
    for step in range(start, steps):
        drawn = draw_batch(
            images, schedule, size=size, seed=seed, step=step,
            fixed_t=fixed_t, labels=labels, label_dropout=label_dropout,
        )  # fmt: skip
        x, t, noise = (crew.part(whole) for whole in (drawn.images, drawn.t, drawn.noise))
        label = None if drawn.labels is None else crew.part(drawn.labels)
        with _seeded_dropout(device, seed, step, crew.rank) if drops else nullcontext():
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                each = training_loss(denoiser, x, t, noise, label)
                loss = each.mean() if crew.world == 1 else each.sum() / size
            value = float(crew.total(loss.detach()))
            if not math.isfinite(value) or value > DIVERGED:
                raise Diverged(step, value)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
        crew.total_gradients(weight for group in optimizer.param_groups for weight in group["params"])
        optimizer.step()
        if ema is not None:
            ema.update()
        yield StepRecord(step + 1, (step + 1) * size, value)


@contextmanager
def _seeded_dropout(device: torch.device, *keys: int) -> Iterator[None]:
    """Dropout draws from torch's global generator: seed it for this step and give it back as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(keyed_generator("dropout", *keys).initial_seed())
        yield
