"""A monitor: a guest in a training loop that measures quality and memorization at log-spaced steps.

The host gives its images and two callables; the monitor keeps the curves. It never draws from the host's random state,
and uses the same noise at every measuring time, so curves differ from point to point because the model did.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Protocol, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from genwindow.analysis import binomial_estimate, tau_gen, tau_gen_from_loss, tau_mem, tau_mem_from_loss
from genwindow.curve import Curve, Estimate
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import check, check_integer, check_number
from genwindow.metrics import FrechetReference, Memorization, TrainingSet, denoising_loss, memorized_fraction
from genwindow.monitor.guest import as_guest
from genwindow.monitor.times import next_measuring_time

LossCallable = Callable[[Tensor, Tensor, torch.Generator], Tensor]
SampleCallable = Callable[[int, torch.Generator], Tensor | tuple[Tensor, Tensor]]


class Slice(Protocol):
    """One value at each of several diffusion times: what a probe returns, for example a `DenoisingLoss`."""

    @property
    def t(self) -> NDArray[np.float64]:
        """(T,) diffusion times."""
        ...

    @property
    def value(self) -> NDArray[np.float64]:
        """(T,) values."""
        ...

    @property
    def low(self) -> NDArray[np.float64]:
        """(T,) lower ends."""
        ...

    @property
    def high(self) -> NDArray[np.float64]:
        """(T,) upper ends."""
        ...


ProbeCallable = Callable[[], Slice]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Point:
    """One measured value: the row of a curve."""

    step: int
    samples: int
    name: str
    t: float | None
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Measurement:
    """What one measuring time gave.

    Attributes:
        step: gradient steps made.
        points: the measured values.
        generated: (N, ...) the generated images, or None without a sampler.
        memorization: nearest training images and ratios of `generated`, or None.
        best: whether the quality is the best so far.
    """

    step: int
    points: tuple[Point, ...]
    generated: Tensor | None
    memorization: Memorization | None
    best: bool


@final
class Monitor:
    """Measures along training; `update` after every step, `compute` whenever.

    Args:
        train: (n, ...) training images as the model sees them, or a fixed sample of them.
        heldout: (m, ...) images never trained on.
        loss: callable (x, t, generator) -> (B,) per-image denoising loss at diffusion times t (B,); or None.
        sample: callable (N, generator) -> (N, ...) generated images; or None. A conditional model returns the pair
            (images, labels), labels (N,) being the classes asked for: f_mem is then also kept for each class, as
            `f_mem:class=K`.
        reference: (k, ...) further real images, for the distance of real from real; or None.
        times: fixed diffusion times of the losses, one curve each.
        estimate_t: which of `times` the loss-based timescales are read from; None takes the middle one.
        first: first measuring time in steps.
        per_octave: measuring times per doubling of the step.
        samples: images generated at each measuring time.
        threshold: ratio below which a sample counts as a copy.
        eps: tau_mem is where f_mem exceeds its floor by this much.
        loss_images: how many training and held-out images the losses use.
        loss_draws: noise draws per image and time.
        embedding: feature map of the Frechet distance; None means pixels or principal components.
        heldout_labels: (m,) classes of the held-out images, for the floor of each class; or None.
        variants: further samplers by name, for example with guidance; they give `f_mem:NAME` and `frechet:NAME`.
        probes: further curves by name: callables that return a `Slice`, one value and interval for each diffusion time.
        modules: put into evaluation mode while measuring, and back.
        seed: of the monitor's own noise.
    """

    def __init__(
        self,
        train: Tensor,
        heldout: Tensor,
        *,
        loss: LossCallable | None = None,
        sample: SampleCallable | None = None,
        reference: Tensor | None = None,
        times: Sequence[float] = (),
        estimate_t: float | None = None,
        first: int = 100,
        per_octave: float = 2.0,
        samples: int = 512,
        threshold: float = 1 / 3,
        eps: float = 0.01,
        loss_images: int = 256,
        loss_draws: int = 4,
        embedding: Callable[[Any], Any] | None = None,
        heldout_labels: Tensor | None = None,
        variants: Mapping[str, SampleCallable] = NOTHING,
        probes: Mapping[str, ProbeCallable] = NOTHING,
        modules: Sequence[nn.Module] = (),
        seed: int = 0,
    ) -> None:
        check(train.shape[1:] == heldout.shape[1:], f"train and heldout differ: {train.shape[1:]}, {heldout.shape[1:]}")
        check(loss is None or len(times) > 0, "a loss needs at least one diffusion time in `times`")
        self._times = tuple(float(t) for t in times)
        middle = self._times[len(self._times) // 2] if self._times else None
        self._estimate_t = middle if estimate_t is None else float(estimate_t)
        check(
            self._estimate_t is None or self._estimate_t in self._times,
            f"estimate_t must be one of the times {self._times}, got {estimate_t}",
        )
        check(not variants or sample is not None, "variants need the sampler they vary: give sample too")
        self._loss, self._sample = loss, sample
        self._variants, self._probes = dict(variants), dict(probes)
        self._train, self._heldout = train, heldout
        self._first, self._per_octave = first, per_octave
        self._count = check_integer("samples", samples, low=2)
        self._threshold = check_number("threshold", threshold, low=0, high=1, low_open=True, high_open=True)
        self._eps = check_number("eps", eps, low=0, high=1)
        self._loss_images = check_integer("loss_images", loss_images, low=1)
        self._loss_draws = check_integer("loss_draws", loss_draws, low=1)
        self._modules = tuple(modules)
        self._seed = seed
        self._points: list[Point] = []
        self._ratio_curve: dict[str, list[float]] = {}
        self._next = next_measuring_time(0, first, per_octave)
        self._constants: dict[str, Estimate] = {}
        if sample is not None:
            self._training_set = TrainingSet(train)
            self._frechet = FrechetReference(heldout, embedding)
            self._constants = self._measure_constants(reference, heldout_labels)

    def _measure_constants(self, reference: Tensor | None, labels: Tensor | None) -> dict[str, Estimate]:
        """The floors and the distance of pure noise: properties of the data, not of the model."""
        self._real = memorized_fraction(self._heldout, self._training_set, threshold=self._threshold)
        shape = (self._count, *self._heldout.shape[1:])
        noise = torch.randn(shape, generator=keyed_generator("noise", self._seed))
        constants = {"floor": self._real.fraction, "frechet_noise": self._frechet.distance(noise.to(self._heldout))}
        if labels is not None and self._real.fraction.found:
            constants.update({f"floor:{name}": share for name, share in _by_class(self._real, labels)})
        if reference is not None:
            constants["frechet_floor"] = self._frechet.floor(reference, min(self._count, len(reference)))
        return constants

    def update(self, step: int, samples: int = 0) -> Measurement | None:
        """Call after every step; measures when a measuring time has come, and costs a comparison otherwise.

        Args:
            step: gradient steps made so far.
            samples: training images seen so far, counting repetitions.
        """
        if step < self._next:
            return None
        return self.measure(step, samples)

    def measure(self, step: int, samples: int = 0) -> Measurement:
        """Measure now, whatever the schedule says; a second call at the same step replaces the first."""
        last = self.last_step
        check(last is None or step >= last, f"steps must not go backwards: measured at {last}, now {step}")
        self._points = [p for p in self._points if p.step != step]
        points: list[Point] = []
        generated = memorization = None
        best = False
        with as_guest(self._modules):
            if self._loss is not None:
                for name, images in (("train_loss", self._train), ("heldout_loss", self._heldout)):
                    part = images[: self._loss_images]
                    if len(part) < 2:  # one image gives no interval
                        continue
                    got = denoising_loss(self._loss, part, self._times, draws=self._loss_draws, seed=self._seed)
                    points += _rows(step, samples, name, got)
            for name, probe in self._probes.items():
                points += _rows(step, samples, name, probe())
            if self._sample is not None:
                generated, labels = self._draw(self._sample)
                memorization, rows = self._look_at(generated, labels)
                earlier = [p.value for p in self._points if p.name == "frechet"]
                distance = dict(rows)["frechet"].value
                best = distance is not None and distance < min(earlier, default=float("inf"))
                self._remember_ratios(memorization)
                for name, variant in self._variants.items():
                    _, more = self._look_at(*self._draw(variant))
                    rows += [(f"{kind}:{name}", estimate) for kind, estimate in more if ":" not in kind]
                points += [_point(step, samples, name, estimate) for name, estimate in rows if estimate.found]
        self._points += points
        self._next = next_measuring_time(step, self._first, self._per_octave)
        return Measurement(step, tuple(points), generated, memorization, best)

    def _draw(self, sample: SampleCallable) -> tuple[Tensor, Tensor | None]:
        """Generated images, and the classes asked for where the sampler says them."""
        returned = sample(self._count, keyed_generator("sample", self._seed))
        generated, labels = returned if isinstance(returned, tuple) else (returned, None)
        wanted = (self._count, *self._train.shape[1:])
        check(tuple(generated.shape) == wanted, f"sample must return {wanted}, got {tuple(generated.shape)}")
        fits = labels is None or tuple(labels.shape) == (self._count,)
        check(fits, f"sample must return one label for each of {self._count} images, got {labels!r:.60}")
        return generated.to(self._train), labels

    def _look_at(self, generated: Tensor, labels: Tensor | None) -> tuple[Memorization, list[tuple[str, Estimate]]]:
        """f_mem, of each class too, and the Frechet distance of one set of samples."""
        found = memorized_fraction(generated, self._training_set, threshold=self._threshold)
        rows = [("f_mem", found.fraction), ("frechet", self._frechet.distance(generated))]
        if labels is not None and found.fraction.found:
            rows += [(f"f_mem:{name}", share) for name, share in _by_class(found, labels)]
        return found, rows

    def _remember_ratios(self, memorization: Memorization) -> None:
        """Keep the share of copies at every threshold; nothing when ratios mean nothing (see `Memorization`)."""
        if memorization.fraction.found:
            generated, heldout = memorization.curve(), self._real.curve()
            columns = {"threshold": heldout.threshold, "generated": generated.value, "heldout": heldout.value}
            self._ratio_curve = {name: column.tolist() for name, column in columns.items()}

    @property
    def last_step(self) -> int | None:
        """The last measuring time, or None."""
        return self._points[-1].step if self._points else None

    @property
    def ratio_curve(self) -> dict[str, list[float]]:
        """`threshold`, and the share of generated and of held-out images below it, at the last measuring time."""
        return self._ratio_curve

    def curves(self) -> tuple[Curve, ...]:
        """Every curve so far; tau is the number of gradient steps."""
        return curves_of(self._points)

    def estimates(self) -> dict[str, Estimate]:
        """Timescales, floors and last values so far; see `estimates_of`."""
        return estimates_of(self.curves(), self._constants, eps=self._eps, estimate_t=self._estimate_t)

    def state_dict(self) -> dict[str, Any]:
        """Plain values to store with the host's checkpoint."""
        return {"points": [asdict(p) for p in self._points], "ratio_curve": self._ratio_curve, "next": self._next}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""
        self._points = [Point(**p) for p in state["points"]]
        self._ratio_curve = dict(state["ratio_curve"])
        self._next = int(state["next"])


def _by_class(found: Memorization, labels: Tensor) -> list[tuple[str, Estimate]]:
    """The share of copies among the images of each class."""
    classes, copies = labels.cpu().numpy(), found.ratio < found.threshold
    return [
        (f"class={c}", binomial_estimate(int(copies[classes == c].sum()), int((classes == c).sum()), what="copies"))
        for c in np.unique(classes)
    ]


def _rows(step: int, samples: int, name: str, found: Slice) -> list[Point]:
    """The rows of a slice, one for each diffusion time."""
    columns = (found.t, found.value, found.low, found.high)
    return [Point(step, samples, name, *map(float, row)) for row in zip(*columns, strict=True)]


def _point(step: int, samples: int, name: str, estimate: Estimate) -> Point:
    """A row of a curve; an estimate without interval stands for itself."""
    assert estimate.value is not None
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return Point(step, samples, name, None, estimate.value, low, high)


def curves_of(points: Sequence[Point]) -> tuple[Curve, ...]:
    """Gather points into curves, one for each name and diffusion time."""
    keys = list(dict.fromkeys((p.name, p.t) for p in points))
    made = []
    for name, t in keys:
        rows = [p for p in points if (p.name, p.t) == (name, t)]
        steps = np.array([p.step for p in rows])
        columns = ("value", "low", "high", "samples")
        value, low, high, samples = (np.array([getattr(p, c) for p in rows]) for c in columns)
        made.append(Curve(name, steps.astype(float), value, low, high, steps, samples, t=t))
    return tuple(made)


def estimates_of(
    curves: Sequence[Curve], constants: dict[str, Estimate], *, eps: float = 0.01, estimate_t: float | None = None
) -> dict[str, Estimate]:
    """The timescales by both estimators, and the last values.

    Args:
        curves: measured curves.
        constants: `floor`, `frechet_noise`, and where known `frechet_floor`.
        eps: for tau_mem.
        estimate_t: diffusion time of the loss-based estimators.

    Returns:
        The constants, and `tau_gen`, `tau_mem`, `f_mem_final`, `frechet_best` where samples were measured,
        `tau_gen_loss`, `tau_mem_loss` where losses were; `tau_mem:NAME` for each variant and class.
    """
    found = dict(constants)
    by_key = {(c.name, c.t): c for c in curves}
    if "floor" in constants:
        empty = Curve("f_mem", np.empty(0), np.empty(0))
        f_mem, frechet = by_key.get(("f_mem", None), empty), by_key.get(("frechet", None), empty)
        found["tau_gen"] = tau_gen(frechet, constants["frechet_noise"])
        found["tau_mem"] = tau_mem(f_mem, constants["floor"], eps=eps)
        found["f_mem_final"] = _at(f_mem, -1, "last measurement")
        for name in (c.name for c in curves if c.name.startswith("f_mem:")):
            part = name.removeprefix("f_mem:")
            floor = constants.get(f"floor:{part}", constants["floor"])
            found[f"tau_mem:{part}"] = tau_mem(by_key[name, None], floor, eps=eps)
        for name in (c.name for c in curves if c.name.startswith("frechet:")):
            found[f"tau_gen:{name.removeprefix('frechet:')}"] = tau_gen(by_key[name, None], constants["frechet_noise"])
        found["frechet_best"] = _at(frechet, int(frechet.value.argmin()) if len(frechet) else -1, "best of the run")
    train, heldout = by_key.get(("train_loss", estimate_t)), by_key.get(("heldout_loss", estimate_t))
    if train is not None and heldout is not None:
        found["tau_gen_loss"] = tau_gen_from_loss(heldout)
        found["tau_mem_loss"] = tau_mem_from_loss(train, heldout)
    return found


def _at(curve: Curve, index: int, what: str) -> Estimate:
    if len(curve) == 0 or curve.low is None or curve.high is None:
        return Estimate(None, None, None, "ill_posed", "measured", f"no measurement of {curve.name}")
    text = f"{curve.name} at tau = {curve.tau[index]:g} ({what})"
    return Estimate(curve.value[index], curve.low[index], curve.high[index], "found", "measured", text)
