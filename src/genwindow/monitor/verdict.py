"""A verdict: where in its window a run is, said after every measurement, with the rule that stops it.

The rule, where samples can be drawn: stop when copies exceed their floor at 95 % confidence, counted so that looking
often does no harm, or when samples are good and copies will probably (60 %) exceed their floor by `eps` before the next
measuring time. Where no samples can be drawn: stop when the split of training and held-out loss exceeds a level
calibrated on pilots. That is weaker evidence, and the verdict says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from genwindow.analysis import tau_gen, tau_mem_from_loss
from genwindow.analysis.outlook import Look, Outlook, above_floor, outlook
from genwindow.curve import Curve, Estimate, short
from genwindow.errors import GenwindowError, check

State = Literal["before_window", "in_window", "closing", "memorizing", "cannot_tell"]

SETTLED = 2.0
"""Samples count as good once the run is so many times as old as its tau_gen, read with the best samples so far."""

NEAR = 2.0
"""The window is closing when copying is more likely than not to begin before the step has grown by this factor."""

LIKELY = 0.5

RISK = 0.6
"""The rule stops at this probability of copying before the next measuring time; at 1/2 chance stops honest runs."""


@dataclass(frozen=True)
class Verdict:
    """What can be said about the run now.

    Attributes:
        state: `before_window` (samples not good yet, no copies), `in_window` (without a sampler: no sign of copying),
            `closing` (copies are near), `memorizing` (there are copies), `cannot_tell`.
        text: the same for a person, with what would help where it cannot tell.
        should_stop: whether the rule says to stop.
        step: when this was said.
        tau_mem: when copying begins, median and 90 % interval in steps; `ill_posed` where nothing is known.
        steps_left: from `step` to `tau_mem`, none below 0.
        before_next: probability that copying begins before the next measuring time, or None.
        closed: whether copies come before samples are good: the window never opens.
    """

    state: State
    text: str
    should_stop: bool
    step: int
    tau_mem: Estimate
    steps_left: Estimate
    before_next: float | None = None
    closed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**vars(self), "tau_mem": self.tau_mem.to_json(), "steps_left": self.steps_left.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Verdict:
        """The inverse of `to_json`.

        Raises:
            GenwindowError: when the table is no verdict.
        """
        try:
            known = data["state"] in get_args(State) and isinstance(data["step"], int)
            check(known, f"this is no verdict: state {data['state']!r} at step {data['step']!r}")
            times = {name: Estimate.from_json(data[name]) for name in ("tau_mem", "steps_left")}
            return cls(**{**data, **times})
        except (KeyError, TypeError) as error:
            raise GenwindowError(f"this is no verdict: {error}") from None


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything a verdict is made from.

    Attributes:
        step: now.
        next_step: the next measuring time.
        looks: copies counted at each measuring time; empty without a sampler.
        floor: held-out images that count as copies, and how many there are; None without a sampler.
        quality: Frechet distance along training.
        noise: that of pure noise.
        losses: training and held-out loss at one diffusion time, or None.
        eps: tau_mem is where f_mem exceeds its floor by this much.
        prior: forecast of tau_mem from pilots with its 90 % interval, or None.
        split_level: loss split at which to stop where no samples can be drawn, or None.
        sign: whether more samples lie close to a training image than real images do.
        missing: why there is nothing to judge by, where there is not.
        bar: Frechet distance that samples must come below to be good.
        doubt: why the samples at hand cannot be good, in a sentence, where something else than the distance says so.
    """

    step: int
    next_step: int
    looks: Sequence[Look]
    floor: tuple[int, int] | None
    quality: Curve
    noise: Estimate | None
    losses: tuple[Curve, Curve] | None
    eps: float = 0.01
    prior: Estimate | None = None
    split_level: float | None = None
    sign: bool = False
    missing: str = "Nothing is measured that tells copies: give a sampler, or a loss."
    bar: float = math.inf
    doubt: str = ""


def cannot_tell(step: int, text: str) -> Verdict:
    """The verdict that there is none, with the reason."""
    unknown = Estimate(None, None, None, "ill_posed", "outlook", text)
    return Verdict("cannot_tell", text, False, step, unknown, unknown)


def judge(evidence: Evidence) -> Verdict:
    """Where in its window is the run?"""
    if evidence.looks and evidence.floor is not None:
        found = _from_samples(evidence, evidence.floor)
        return replace(found, text=f"{found.text} {evidence.doubt}") if evidence.doubt else found
    if evidence.losses is not None:
        return _from_losses(evidence, *evidence.losses)
    return cannot_tell(evidence.step, evidence.missing)


def _from_samples(evidence: Evidence, floor: tuple[int, int]) -> Verdict:
    step, eps = evidence.step, evidence.eps
    if floor[0] >= floor[1] * (1 - eps):
        return cannot_tell(step, "Held-out images pass as copies themselves: the ratio test cannot tell copies here.")
    future = outlook(evidence.looks, *floor, eps=eps, prior=evidence.prior)
    share = evidence.looks[-1].copies / evidence.looks[-1].drawn
    good = _good(evidence)
    risk = future.share_before(evidence.next_step)
    shown = above_floor(evidence.looks, *floor)
    base = Verdict("in_window", "", False, step, future.tau_mem, _left(future, step), risk)
    if shown is not None:
        first = evidence.looks[shown].step
        closed = not good and _closed(evidence, future)
        order = " before they are good: for these images and settings the window is closed" if closed else ""
        text = f"Samples copy training images{order}: {share:.2%} of them now, beyond chance since step {short(first)}."
        return replace(base, state="memorizing", text=text, should_stop=True, closed=closed)
    if not good:
        if future.share_before(step * NEAR) > LIKELY:
            when = _begins(future, step)
            text = (
                f"{when[0].upper()}{when[1:]}, before samples are good: the window looks closed. More images, or a "
                "smaller network, would open it."
            )
            return replace(base, state="closing", text=text, closed=True)
        return replace(base, state="before_window", text=_early(evidence))
    if risk > RISK:
        text = (
            f"Stop here: samples are good, and {_begins(future, step)}; that it begins before the next measurement at "
            f"step {short(evidence.next_step)} has the probability {risk:.0%}."
        )
        return replace(base, state="closing", text=text, should_stop=True)
    left = base.steps_left
    if future.share_before(step * NEAR) > LIKELY:
        when = f"copying is expected to begin in {short(left.value)} steps" if left.value else _begins(future, step)
        text = f"The window is closing: {when} (90 % interval {short(left.low)} to {short(left.high)} steps from now)."
        return replace(base, state="closing", text=text)
    return replace(base, text=f"In the window: samples are good, {_none_seen(evidence.looks[-1])}")


def _begins(future: Outlook, step: int) -> str:
    """When copying begins, or that it has."""
    at = future.tau_mem.value
    past = at is not None and at <= step
    return f"copying {'has probably begun,' if past else 'is expected to begin'} near step {short(at)}"


def _good(evidence: Evidence) -> bool:
    """Whether samples have been close to the best of the run for a while, and the best is some good."""
    return _settled(evidence) and float(evidence.quality.value.min()) < evidence.bar and not evidence.doubt


def _settled(evidence: Evidence) -> bool:
    """Whether samples have been close to the best of the run for a while."""
    reached = _tau_gen(evidence)
    if reached.status == "below_range":
        return reached.high is not None and evidence.step >= SETTLED * reached.high
    return reached.value is not None and evidence.step >= SETTLED * reached.value


def _tau_gen(evidence: Evidence) -> Estimate:
    if evidence.noise is None or len(evidence.quality) == 0:
        return Estimate(None, None, None, "ill_posed", "distance", "no quality was measured")
    return tau_gen(evidence.quality, evidence.noise)


def _closed(evidence: Evidence, future: Outlook) -> bool:
    """Whether copying began before samples were good, as far as that can be told by now."""
    reached, began = _tau_gen(evidence), future.tau_mem.value
    return began is not None and (reached.value is None or reached.value > began)


def _early(evidence: Evidence) -> str:
    if _tau_gen(evidence).status == "ill_posed":
        state = "not better than noise yet"
    elif not _settled(evidence):
        state = "still getting better"
    else:
        state = "not as they should be" if evidence.doubt else "not better than a single image, repeated, yet"
    text = f"Before the window: samples are {state}, {_none_seen(evidence.looks[-1])}"
    if evidence.sign:
        text += " But more of them lie close to a training image than real images do: copies may come soon."
    return text


def _none_seen(look: Look) -> str:
    if look.copies == 0:
        return f"no copy among {look.drawn}."
    return f"{look.copies} of {look.drawn} count as copies, not more than chance explains."


def _left(future: Outlook, step: int) -> Estimate:
    ends = [
        max(v - step, 0.0) for v in (future.tau_mem.value, future.tau_mem.low, future.tau_mem.high) if v is not None
    ]
    text = f"copying begins in {short(ends[0])} steps, 90 % interval {short(ends[1])} to {short(ends[2])}"
    return Estimate(ends[0], ends[1], ends[2], "found", "outlook", text)


def _from_losses(evidence: Evidence, train: Curve, heldout: Curve) -> Verdict:
    """Weaker: the loss splits long before samples are copies, how long before differs from data to data."""
    step = evidence.step
    split = loss_split(train, heldout)
    if split is None:
        return cannot_tell(step, "The held-out loss is not positive: the loss split means nothing here.")
    if evidence.split_level is None:
        return cannot_tell(
            step,
            f"Without samples the losses alone do not tell when copying begins (their split is {max(split, 0.0):.0%} "
            "now): give a sampler, or split_level from pilots.",
        )
    level = evidence.split_level
    at = tau_mem_from_loss(train, heldout, split=level)
    base = cannot_tell(step, "")
    weaker = "Judged by the losses alone, which is weaker evidence than samples."
    if split > level:
        text = (
            f"Stop here: training and held-out loss differ by {split:.0%}, pilots copied beyond {level:.0%}. {weaker}"
        )
        return replace(base, state="closing", text=text, should_stop=True, tau_mem=at)
    if split > level / 2:
        text = f"The window is closing: the losses differ by {split:.0%}, pilots copied beyond {level:.0%}. {weaker}"
        return replace(base, state="closing", text=text, tau_mem=at)
    text = f"No sign of copying: the losses differ by {max(split, 0):.0%}, pilots copied beyond {level:.0%}. {weaker}"
    return replace(base, state="in_window", text=text, tau_mem=at)


def loss_split(train: Curve, heldout: Curve) -> float | None:
    """The last split (heldout - train) / heldout, less its first value; None where a held-out loss is not positive."""
    if len(train) == 0 or (heldout.value <= 0).any():
        return None
    gap = 1 - train.value / heldout.value
    return float(gap[-1] - gap[0])


def calibrated_split(pilots: Sequence[tuple[Curve, Curve, Estimate]]) -> float:
    """The loss split at which pilots began to copy: the smallest one, to be on the safe side.

    Args:
        pilots: for each the training and the held-out loss at one diffusion time, and tau_mem from its samples.

    Raises:
        GenwindowError: when no pilot came to copy within its curves, or one did without a split.
    """
    found = []
    copied = [pilot for pilot in pilots if pilot[2].value is not None and len(pilot[0]) > 1]
    check(bool(copied), f"none of {len(pilots)} pilots began to copy: train them longer, or on fewer images")
    for train, heldout, began in copied:
        assert began.value is not None
        until = int((train.tau <= began.value).sum())
        split = loss_split(_first(train, max(until, 1)), _first(heldout, max(until, 1)))
        usable = split is not None and split > 0
        check(usable, "a pilot copied before its losses had split: the split is no sign here; give a sampler instead")
        found.append(split or 0.0)
    return min(found)


def _first(curve: Curve, count: int) -> Curve:
    return Curve(curve.name, curve.tau[:count], curve.value[:count], t=curve.t)


def nothing_tells(sampler: bool, loss: bool, heldout: bool) -> str:
    """Why nothing tells copies, where nothing does."""
    if sampler:
        return "Copies can be told among two distinct training images at least."
    if loss and heldout:
        return "Losses tell something of two training and two held-out images at least; see loss_images."
    needed = "held-out images with the loss" if loss else "a sampler, or a loss"
    return f"Nothing is measured that tells copies: give {needed}."
