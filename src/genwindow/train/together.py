"""Training together: models of one architecture make each gradient step as one batched computation.

Every model draws its own batch, diffusion times and noise, as it would alone, and its loss, gradient and optimizer
state are its own; only the arithmetic is shared. Results are those of training alone up to rounding: products are
summed in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from genwindow.diffusion import NetworkDenoiser, training_loss
from genwindow.diffusion.schedules import alike
from genwindow.errors import GenwindowError, check, check_integer
from genwindow.nets import StackedMLP
from genwindow.train.batch import batch_size, check_batches, draw_batch
from genwindow.train.ema import EMA
from genwindow.train.loop import DIVERGED, StepRecord

STEP = "step"
"""How optimizers that count their steps name the count in their state."""


@dataclass(frozen=True, eq=False)
class Member:
    """One of the models that train together.

    Attributes:
        denoiser: a `ResidualMLP` with its schedule.
        images: (n, ...) centred training images.
        optimizer: over the network's parameters; its state is that of this model at any time.
        ema: moving average of the weights.
        seed: of batches, diffusion times, noise and hidden classes.
        labels: (n,) classes of the images, for a network that is told them.
    """

    denoiser: NetworkDenoiser
    images: Tensor
    optimizer: torch.optim.Optimizer
    ema: EMA
    seed: int
    labels: Tensor | None = None


class SomeDiverged(GenwindowError):
    """Some losses are NaN, infinite or far above their start. No model has made the step.

    Attributes:
        step: the step that was not made.
        losses: of the models that diverged, by their place among the members.
    """

    def __init__(self, step: int, losses: Mapping[int, float]) -> None:
        super().__init__(f"{len(losses)} models diverged at step {step}")
        self.step, self.losses = step, dict(losses)


def steps_together(
    members: Sequence[Member],
    build_optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    *,
    start: int,
    steps: int,
    batch: int,
    fixed_t: float | None = None,
    label_dropout: float = 0.0,
) -> Iterator[tuple[StepRecord, ...]]:
    """Train until every member has made `steps` steps, yielding their records after each.

    While this generator lives, weights, optimizer state and average of each member are views of stacked tensors. They
    may be looked at, copied and given other values; afterwards they are the member's own.

    Args:
        members: models of one architecture, schedule and prediction, with averages of one decay.
        build_optimizer: makes the optimizer of the stacked weights, of the same kind and settings as each member's.
        start: steps that each member has made.
        steps: total number of steps, counted from step 0.
        batch: images per step; min(batch, n) are used, 0 means all of them. That must be the same for all members.
        fixed_t: train at this diffusion time only.
        label_dropout: share of the classes that the networks are not told.

    Raises:
        SomeDiverged: when a loss is not finite or exceeds `DIVERGED`. The other members can go on from there.
        GenwindowError: when members do not fit together, or batches cannot be drawn; see `check_batches`.
    """
    check(len(members) >= 1, "members must be at least one, got none")
    check_integer("steps", steps, low=0)
    schedule, prediction = members[0].denoiser.schedule, members[0].denoiser.prediction
    same = all(m.denoiser.prediction == prediction and alike(m.denoiser.schedule, schedule) for m in members)
    check(same, "members must have one schedule and one prediction")
    classes = [
        check_batches(m.images, schedule, batch=batch, fixed_t=fixed_t, labels=m.labels, label_dropout=label_dropout)
        for m in members
    ]
    told = {labels is not None for labels in classes}
    check(len(told) == 1, "members must all have labels, or none")
    sizes = {batch_size(batch, len(m.images)) for m in members}
    check(len(sizes) == 1, f"members must have batches of one size, got {sorted(sizes)}")
    (size,) = sizes
    networks = [m.denoiser.network for m in members]
    network = StackedMLP(networks)  # type: ignore[arg-type]
    stack = NetworkDenoiser(network, schedule, prediction)
    optimizer = build_optimizer([network.all])
    average = EMA.joined(network, [m.ema for m in members])
    _join(optimizer, network, members)
    made: Tensor | None = None
    for step in range(start, steps):
        drawn = [
            draw_batch(
                m.images, schedule, size=size, seed=m.seed, step=step,
                fixed_t=fixed_t, labels=labels, label_dropout=label_dropout,
            )
            for m, labels in zip(members, classes, strict=True)
        ]  # fmt: skip
        asked = [b.labels for b in drawn if b.labels is not None]
        each = training_loss(
            stack,
            torch.cat([b.images for b in drawn]),
            torch.cat([b.t for b in drawn]),
            torch.cat([b.noise for b in drawn]),
            torch.cat(asked) if asked else None,
        )
        losses = each.view(len(members), size).mean(1)
        values = losses.tolist()
        bad = {k: value for k, value in enumerate(values) if not math.isfinite(value) or value > DIVERGED}
        if bad:
            raise SomeDiverged(step, bad)
        losses.sum().backward()
        optimizer.step()
        average.update()
        if made is None:
            made = _share(optimizer, network, members)
        else:
            made += 1
        yield tuple(StepRecord(step + 1, (step + 1) * size, value) for value in values)


def _own_weights(member: Member) -> list[Tensor]:
    return [weight for group in member.optimizer.param_groups for weight in group["params"]]


def _join(optimizer: torch.optim.Optimizer, network: StackedMLP, members: Sequence[Member]) -> None:
    """Give the stacked optimizer the state of the members' own; before the first step there is none."""
    states = [[member.optimizer.state.get(w, {}) for w in _own_weights(member)] for member in members]
    begun = [any(own) for own in states]
    check(all(begun) or not any(begun), "members must all have begun, or none")
    if not begun[0]:
        return
    joined = optimizer.state[network.all]
    for name, value in states[0][0].items():
        if value is None or name == STEP:
            joined[name] = value if value is None else value.clone()
            continue
        joined[name] = torch.zeros_like(network.all)
        for own, views in zip(states, network.views(joined[name]), strict=True):
            for state, view in zip(own, views, strict=True):
                view.copy_(state[name])


def _share(optimizer: torch.optim.Optimizer, network: StackedMLP, members: Sequence[Member]) -> Tensor:
    """Let the state of each member's own optimizer be views of the stacked one.

    Returns the members' counts of steps made, one for each parameter, which must be advanced with the stacked one's.
    """
    joined = optimizer.state[network.all]
    views = {name: network.views(value) for name, value in joined.items() if value is not None and name != STEP}
    own = [_own_weights(member) for member in members]
    made = joined.get(STEP, torch.zeros(())).repeat(len(own), len(own[0]))
    for k, (member, weights) in enumerate(zip(members, own, strict=True)):
        for i, weight in enumerate(weights):
            state = {name: None if value is None else made[k, i] for name, value in joined.items() if name not in views}
            member.optimizer.state[weight] = state | {name: view[k][i] for name, view in views.items()}
    return made
