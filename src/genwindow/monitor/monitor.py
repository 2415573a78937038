"""A monitor: a guest in a training loop that measures quality and copying at log-spaced steps, and says when to stop.

The host gives its images and two callables; the monitor keeps the curves and a verdict. It never draws from the host's
random state, and uses the same noise at every measuring time, so curves differ from point to point because the
model did.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal, final

import numpy as np
from torch import Tensor, nn

from genwindow.analysis import binomial_estimate
from genwindow.analysis.outlook import Look
from genwindow.curve import Curve, Estimate
from genwindow.errors import NotFinite, check, check_choice, check_integer, check_number
from genwindow.metrics import Memorization
from genwindow.metrics.loss import LossCallable
from genwindow.monitor.agree import as_first, first_text, is_first
from genwindow.monitor.estimates import estimates_of
from genwindow.monitor.given import as_images, as_modules, as_tensor, check_heldout
from genwindow.monitor.guest import as_guest
from genwindow.monitor.history import History, fingerprint
from genwindow.monitor.loggers import Logger, tell
from genwindow.monitor.losses import Losses, ProbeCallable, Probes
from genwindow.monitor.record import Best, Measurement, Point, Seen, curves_of, point_of, points_of
from genwindow.monitor.samples import SampleCallable, Samples
from genwindow.monitor.times import FIRST, PER_OCTAVE, next_measuring_time
from genwindow.monitor.verdict import Evidence, Verdict, cannot_tell, judge, nothing_tells

NOTHING: Mapping[str, Any] = MappingProxyType({})

GROWTH = 8
"""Unless told otherwise, samples may grow to so many times their number where the verdict hangs on it."""

UNSURE = (0.01, 0.95)
"""Once there is a copy, more samples are drawn while the probability of copying before the next measuring time lies in
between."""

DOUBT = 0.05
"""Before samples are good and once there is a copy, the next measuring time comes early where copying begins before it
with this probability."""

BETWEEN = 2
"""At most so many measuring times of a run are put between those of the schedule."""


@final
class Monitor:
    """Measures along training; `update` after every step, `compute` whenever.

    Args:
        train: (n, ...) training images as the model sees them, or a fixed sample of them.
        heldout: (m, ...) images never trained on; None only with `holdout="kfold"`.
        loss: callable (x, t, generator) -> (B,) per-image denoising loss at diffusion times t (B,); or None.
        sample: callable (N, generator) -> (N, ...) generated images; or None. A conditional model returns the pair
            (images, labels), labels (N,) being the classes asked for: f_mem is then also kept for each class, as
            `f_mem:class=K`.
        holdout: `images`, or `kfold` for hosts that cannot spare any: the floor is then read from the training images,
            each fifth scored against the others, and there is no held-out loss; weaker, and the verdict says so.
        reference: (k, ...) further real images, for the distance of real from real; or None.
        times: fixed diffusion times of the losses, one curve each.
        estimate_t: which of `times` the loss-based timescales are read from; None takes the middle one.
        first: first measuring time in steps.
        per_octave: measuring times per doubling of the step. Where copies threaten before samples are good, up to two
            more are put between them.
        samples: images generated at each measuring time.
        most_samples: up to so many where the verdict hangs on it; None allows eight times `samples`. With no more than
            `samples` there are no measuring times between those of the schedule either.
        threshold: ratio below which a sample counts as a copy.
        eps: tau_mem is where f_mem exceeds its floor by this much.
        loss_images: how many training and held-out images the losses use.
        loss_draws: noise draws per image and time.
        embedding: feature map of the Frechet distance; None means pixels or principal components.
        heldout_labels: (m,) classes of the held-out images, for the floor of each class; or None.
        variants: further samplers by name, for example with guidance; they give `f_mem:NAME` and `frechet:NAME`.
        probes: further curves by name: callables that return a `Slice`, one value and interval for each diffusion time.
        weights: weight matrices by name whose stable rank is followed, as `stable_rank:NAME`; experimental.
        modules: put into evaluation mode while measuring, and back.
        averaged: callable that returns a context manager, inside which the model has the weights to be measured, for
            example its moving average; or None.
        forecast: tau_mem forecast from pilots with its 90 % interval, in steps, for a start; or None.
        split_level: loss split at which to stop where there is no sampler; see `calibrated_split`.
        logger: where numbers and sentences go as well; an error of its own is a warning.
        every_process: of a distributed run measures, and goes on with what the first one found; False where the host
            lets a single process measure.
        seed: of the monitor's own noise.

    Raises:
        GenwindowError: when there is nothing to measure, images do not fit together, or held-out images are training
            images.
    """

    def __init__(
        self,
        train: Tensor,
        heldout: Tensor | None = None,
        *,
        loss: LossCallable | None = None,
        sample: SampleCallable | None = None,
        holdout: Literal["images", "kfold"] = "images",
        reference: Tensor | None = None,
        times: Sequence[float] = (),
        estimate_t: float | None = None,
        first: int = FIRST,
        per_octave: float = PER_OCTAVE,
        samples: int = 256,
        most_samples: int | None = None,
        threshold: float = 1 / 3,
        eps: float = 0.01,
        loss_images: int = 256,
        loss_draws: int = 2,
        embedding: Callable[[Any], Any] | None = None,
        heldout_labels: Tensor | None = None,
        variants: Mapping[str, SampleCallable] = NOTHING,
        probes: Mapping[str, ProbeCallable] = NOTHING,
        weights: Mapping[str, Tensor] = NOTHING,
        modules: Sequence[nn.Module] = (),
        averaged: Callable[[], AbstractContextManager[Any]] | None = None,
        forecast: Estimate | None = None,
        split_level: float | None = None,
        logger: Logger | None = None,
        every_process: bool = True,
        seed: int = 0,
    ) -> None:
        check(not variants or sample is not None, "variants need the sampler they vary: give sample too")
        measured = loss is not None or sample is not None or bool(probes) or bool(weights)
        check(measured, "there is nothing to measure: give sample, or loss, or both")
        check_choice("holdout", holdout, ("images", "kfold"))
        train = as_images("train", train)
        heldout, reference = (
            None if given is None else as_images(name, given)
            for name, given in (("heldout", heldout), ("reference", reference))
        )
        heldout_labels = None if heldout_labels is None else as_tensor("heldout_labels", heldout_labels)
        check(heldout is None or holdout == "images", "holdout='kfold' takes no held-out images: leave heldout out")
        if heldout is not None:
            check_heldout(train, heldout, heldout_labels)
        known = forecast is None or isinstance(forecast, Estimate)
        check(known, f"forecast must be an Estimate, got {type(forecast).__name__}; see prior_from_json")
        check(averaged is None or callable(averaged), f"averaged must be callable, got {type(averaged).__name__}")
        self._first, self._per_octave = first, per_octave
        count = check_integer("samples", samples, low=2)
        self._most = GROWTH * count if most_samples is None else check_integer("most_samples", most_samples, low=count)
        self._between = BETWEEN if self._most > count else 0
        self._eps = check_number("eps", eps, low=0, high=1, low_open=True, high_open=True)
        if split_level is not None:
            check_number("split_level", split_level, low=0, high=1, low_open=True)
        self._forecast, self._split_level = forecast, split_level
        self._modules, self._averaged, self._logger = as_modules(modules), averaged, logger
        self._together = every_process
        self._probes = Probes(probes, weights)
        self._losses = Losses(
            train,
            heldout,
            loss,
            times=times,
            estimate_t=estimate_t,
            images=check_integer("loss_images", loss_images, low=1),
            draws=check_integer("loss_draws", loss_draws, low=1),
            seed=seed,
        )
        self._samples: Samples | None = None
        with as_guest(()):
            if sample is not None:
                self._samples = Samples(
                    train,
                    heldout,
                    sample,
                    variants=variants,
                    reference=reference,
                    labels=heldout_labels,
                    holdout=holdout,
                    count=count,
                    threshold=check_number("threshold", threshold, low=0, high=1, low_open=True, high_open=True),
                    embedding=embedding,
                    seed=seed,
                )
        self._found = History(next_measuring_time(0, first, per_octave), images=fingerprint(train, heldout))
        self._missing = nothing_tells(sample is not None, loss is not None, heldout is not None)

    def update(self, step: int, samples: int = 0) -> Measurement | None:
        """Call after every step; measures when a measuring time has come, and costs a comparison otherwise.

        Args:
            step: gradient steps made so far.
            samples: training images seen so far, counting repetitions.

        Raises:
            GenwindowError: when a callable returns the wrong thing, or steps go backwards; what was measured is kept.
        """
        last, step = self._found.last, check_integer("step", step)
        if step < self._found.next and (last is None or step >= last):
            return None
        return self.measure(step, samples)

    def measure(self, step: int, samples: int = 0) -> Measurement:
        """Measure now, whatever the schedule says; a second call at the same step replaces the first."""
        step = check_integer("step", step, low=0 if self._samples is None else 1)  # looks stand on a log axis
        samples = check_integer("samples", samples, low=0)
        last = self._found.last
        check(last is None or step >= last, f"steps must not go backwards: measured at {last}, now {step}")
        seen = self._see(step, samples)
        if seen.trouble:
            logging.getLogger(__name__).warning("%s at step %d", seen.trouble, step)
        measurement = self._conclude(step, seen)
        if self._logger is not None:
            try:
                tell(self._logger, measurement)
            except Exception as error:  # a server that is away must not end a training
                logging.getLogger(__name__).warning("the logger took nothing at step %d: %r", step, error)
        return measurement

    def _see(self, step: int, samples: int) -> Seen:
        """Call the host's callables, with its modules and its random state as they were afterwards."""
        earlier = tuple(look for look in self._found.looks if look.step < step)
        points: list[Point] = []
        generated = memorization = None
        trouble = ""
        with as_guest(self._modules), self._block():
            # under data-parallel training a process that finds NaN takes the same steps as the others
            for part in (self._measure_losses, self._measure_samples):
                try:
                    rows, generated, memorization = part(step, samples)
                    points += rows
                except NotFinite as error:
                    trouble = trouble or str(error)
            trouble = first_text(trouble, self._together)
            if trouble:
                return Seen(earlier, trouble=trouble)
            if generated is None or memorization is None or not memorization.fraction.found:
                return Seen(earlier, points, generated, memorization)
            assert self._samples is not None
            sign = as_first(self._samples.sign(memorization), self._together)
            look, trouble = self._look(step, earlier, memorization)
        if trouble:
            return Seen(earlier, trouble=trouble)
        share = binomial_estimate(look.copies, look.drawn, what="copies of generated images")
        points = [p if p.name != "f_mem" else point_of(step, samples, "f_mem", share) for p in points]
        return Seen((*earlier, look), points, generated, memorization, sign, self._samples.doubt(generated))

    def _conclude(self, step: int, seen: Seen) -> Measurement:
        """The verdict, and when to measure next; what was seen is kept from here on."""
        before = self._found
        points = as_first(list(seen.points), self._together)
        kept = [*(p for p in before.points if p.step != step), *points]
        following = self._scheduled(step)
        verdict = self._judge(step, following, seen.looks, kept, seen.sign, seen.doubt)
        copies = bool(seen.looks) and seen.looks[-1].copies > 0
        threat = seen.sign or (copies and (verdict.before_next or 0.0) > DOUBT)
        if verdict.state == "before_window" and threat and before.between < self._between:
            following = self._scheduled(step, closer=2)
            verdict = self._judge(step, following, seen.looks, kept, seen.sign, seen.doubt)
        if seen.trouble:
            verdict = cannot_tell(step, f"{seen.trouble}: has training diverged?")
        ratios: Mapping[str, list[float]] = {}
        if seen.memorization is not None and self._samples is not None:
            ratios = self._samples.ratio_curve(seen.memorization)
        verdict, following, ratios = as_first((verdict, following, ratios), self._together)
        between = following < self._scheduled(step)
        found = before.after(step, points, seen.looks, verdict, ratios, following, between)
        self._found = found  # all went well
        best = found.best != before.best and found.best is not None and found.best.step == step
        stops = found.stop != before.stop
        return Measurement(step, tuple(points), seen.generated, seen.memorization, best, verdict, stops)

    def _block(self) -> AbstractContextManager[Any]:
        """Inside it the model has the weights to be measured."""
        block = nullcontext() if self._averaged is None else self._averaged()
        fits = isinstance(block, AbstractContextManager)
        check(fits, f"averaged must return a context manager, got {type(block).__name__}")
        return block

    def _scheduled(self, step: int, closer: int = 1) -> int:
        """The measuring time after `step`, of the schedule or of one that is `closer` times as dense."""
        return next_measuring_time(step, self._first, closer * self._per_octave)

    def _measure_losses(self, step: int, samples: int) -> tuple[list[Point], None, None]:
        """Losses, probes and stable ranks."""
        found = [*self._losses.measure(), *self._probes.measure()]
        points = [point for name, values in found for point in points_of(step, samples, name, values)]
        return points, None, None

    def _measure_samples(self, step: int, samples: int) -> tuple[list[Point], Tensor | None, Memorization | None]:
        """Copies and quality of generated images."""
        if self._samples is None:
            return [], None, None
        generated, memorization, rows = self._samples.measure()
        return [point_of(step, samples, name, e) for name, e in rows if e.found], generated, memorization

    def _look(self, step: int, earlier: Sequence[Look], found: Memorization) -> tuple[Look, str]:
        """Count copies, and draw more samples while the verdict hangs on it; or what is wrong with them."""
        assert self._samples is not None
        copies, drawn = as_first((int((found.ratio < found.threshold).sum()), len(found.ratio)), self._together)
        trouble = ""
        while drawn < self._most and not trouble:
            looks = (*earlier, Look(step, copies, drawn))
            verdict = self._judge(step, self._scheduled(step), looks, self._found.points)
            if copies == 0 or verdict.before_next is None or not UNSURE[0] < verdict.before_next < UNSURE[1]:
                break
            more, further = min(drawn, self._most - drawn), 0
            try:
                further = self._samples.copies(more, drawn)
            except NotFinite as error:
                trouble = str(error)
            trouble = first_text(trouble, self._together)
            copies, drawn = copies + as_first(further, self._together), drawn + more
        return Look(step, copies, drawn), trouble

    def _judge(
        self,
        step: int,
        following: int,
        looks: Sequence[Look],
        points: Sequence[Point],
        sign: bool = False,
        doubt: str = "",
    ) -> Verdict:
        curves = {(c.name, c.t): c for c in curves_of(points)}
        t = self._losses.estimate_t
        pair = curves.get(("train_loss", t)), curves.get(("heldout_loss", t))
        none = Curve("frechet", np.empty(0), np.empty(0))
        samples = self._samples
        verdict = judge(
            Evidence(
                step=step,
                next_step=following,
                looks=looks,
                floor=None if samples is None else samples.floor_counts,
                quality=curves.get(("frechet", None), none),
                noise=self.constants.get("frechet_noise"),
                losses=None if pair[0] is None or pair[1] is None else (pair[0], pair[1]),
                eps=self._eps,
                prior=self._forecast,
                split_level=self._split_level,
                sign=sign,
                missing=self._missing,
                bar=math.inf if samples is None else samples.bar,
                doubt=doubt,
            )
        )
        note = "" if samples is None else samples.note
        return replace(verdict, text=f"{verdict.text} {note}") if note else verdict

    def compute(self) -> Verdict:
        """The last verdict."""
        nothing = f"Nothing was measured yet; the first measuring time is step {self._found.next}."
        return self._found.verdicts[-1] if self._found.verdicts else cannot_tell(0, nothing)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The verdict of every measuring time."""
        return self._found.verdicts

    @property
    def best(self) -> Best | None:
        """Which measuring time to keep the weights of, and why; None without a sampler."""
        return self._found.best

    @property
    def stop_step(self) -> int | None:
        """The first measuring time at which the rule said to stop, or None."""
        return self._found.stop

    @property
    def constants(self) -> dict[str, Estimate]:
        """Properties of the data: `floor`, `frechet_noise`, `frechet_floor`, floors of classes."""
        return {} if self._samples is None else self._samples.constants

    @property
    def last_step(self) -> int | None:
        """The last measuring time, or None."""
        return self._found.last

    @property
    def next_step(self) -> int:
        """The next measuring time."""
        return self._found.next

    @property
    def ratio_curve(self) -> Mapping[str, list[float]]:
        """`threshold`, and the share of generated and of held-out images below it, at the last measuring time."""
        return self._found.ratio_curve

    def curves(self) -> tuple[Curve, ...]:
        """Every curve so far; tau is the number of gradient steps."""
        return curves_of(self._found.points)

    def estimates(self) -> dict[str, Estimate]:
        """Timescales, floors and last values so far; see `estimates_of`."""
        return estimates_of(self.curves(), self.constants, eps=self._eps, estimate_t=self._losses.estimate_t)

    def state_dict(self) -> dict[str, Any]:
        """Plain values to store with the host's checkpoint."""
        return self._found.to_json()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`.

        Raises:
            GenwindowError: when it is no such state, or of other images, a sample of them that was drawn anew for
                example; the monitor is then as it was.
        """
        found, ours = History.from_json(state), self._found.images
        check(
            found.images in ("", ours) or not is_first(),
            "this state was saved by a monitor of other training or held-out images: its curves would not go on; give "
            "the same ones, in the same order and type (a sample of them drawn with a fixed seed); if they differ by "
            "rounding only, take `images` out of the state",
        )
        self._found = replace(found, images=ours)
