"""Generated images set against training images: copies, quality, and what chance gives."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor

from genwindow.analysis import binomial_estimate, binomial_interval
from genwindow.analysis.sign import looser, probability_above
from genwindow.curve import Estimate
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import NotFinite, check
from genwindow.metrics import FrechetReference, Memorization, TrainingSet, memorized_fraction, nearest_neighbours
from genwindow.metrics.scale import MANY, OVERSHOOT, ends_of, other_scale
from genwindow.monitor.given import as_tensor, kind_of

SampleCallable = Callable[[int, torch.Generator], Tensor | tuple[Tensor, Tensor]]

FOLDS = 5
"""With `holdout="kfold"` each such part of the training images is scored against the others."""

FEW = 10
"""With fewer held-out images than this, next to nothing can be said about chance."""

BEYOND_ONE = 0.1
"""Samples must come so much of the way from a single image, repeated, to real images before they can be good."""

SIGN = 0.95
"""Probability from which there is a sign of copying. One look in twenty sees one by chance, which costs a measuring
time."""


@final
class Samples:
    """Generated images: copies, quality, and the constants of the data that both are compared with.

    Args:
        train: (n, ...) training images.
        heldout: (m, ...) held-out images, or None.
        sample: the host's callable.
        variants: further ones by name.
        reference: (k, ...) further real images, or None.
        labels: (m,) classes of the held-out images, or None.
        holdout: `images` or `kfold`.
        count: images drawn at each measuring time.
        threshold: ratio below which an image counts as a copy.
        embedding: of the Frechet distance, or None.
        seed: of the samples.
    """

    def __init__(
        self,
        train: Tensor,
        heldout: Tensor | None,
        sample: SampleCallable,
        variants: Mapping[str, SampleCallable],
        reference: Tensor | None,
        labels: Tensor | None,
        holdout: str,
        count: int,
        threshold: float,
        embedding: Callable[[Any], Any] | None,
        seed: int,
    ) -> None:
        self._sample, self._variants = sample, dict(variants)
        self._train, self._count, self._threshold, self._seed = train, count, threshold, seed
        self._set = TrainingSet(train)
        if heldout is None:
            check(holdout == "kfold", "heldout images are needed, or holdout='kfold' where none can be spared")
            check(len(train) > 1, "holdout='kfold' needs at least two training images, got 1")
            check(labels is None, "heldout_labels belong to held-out images; there are none with holdout='kfold'")
        real = train if heldout is None else heldout
        self._ends = ends_of(train)
        self._frechet = FrechetReference(real, embedding)
        self.bar = self._bar()
        if heldout is None:
            self._ratios = _across_folds(train)
        else:
            self._ratios = memorized_fraction(heldout, self._set, threshold=threshold).ratio
        self.note = _note(holdout, len(real))
        known = self._ratios[~np.isnan(self._ratios)]
        self.floor_counts = (int((known < threshold).sum()), len(known)) if len(known) else None
        noise = torch.randn((count, *train.shape[1:]), generator=keyed_generator("noise", seed), device="cpu")
        what = "copies of held-out real images" if holdout == "images" else "copies of training images in other folds"
        self.constants = {
            "floor": _share(known < threshold, what),
            "frechet_noise": self._frechet.distance(noise.to(real)),
        }
        if labels is not None and len(known):
            classes = labels.cpu().numpy()
            shares = {int(c): known[classes == c] < threshold for c in np.unique(classes)}
            self.constants.update({f"floor:class={c}": _share(hits, what) for c, hits in shares.items()})
        if reference is not None:
            self.constants["frechet_floor"] = self._frechet.floor(reference, min(count, len(reference)))

    def measure(self) -> tuple[Tensor, Memorization, list[tuple[str, Estimate]]]:
        """The images, their nearest training images, and estimates by name, f_mem first.

        A variant whose images hold NaN has no estimates; a warning names it.

        Raises:
            NotFinite: when images hold NaN or infinite numbers.
            GenwindowError: when the sampler returns the wrong number or shape.
        """
        generated, labels = self._draw(self._sample, self._count, 0)
        found, rows = self._look_at(generated)
        if labels is not None and found.fraction.found:
            classes, copies = labels.cpu().numpy(), found.ratio < self._threshold
            rows += [(f"f_mem:class={c}", _share(copies[classes == c], "copies")) for c in np.unique(classes)]
        for name, variant in self._variants.items():
            try:
                drawn, _ = self._draw(variant, self._count, 0)
            except NotFinite as error:
                logging.getLogger(__name__).warning("%s: %s", name, error)
                continue
            rows += [(f"{kind}:{name}", estimate) for kind, estimate in self._look_at(drawn)[1]]
        return generated, found, rows

    def copies(self, count: int, already: int) -> int:
        """How many of `count` further samples are copies, after `already` ones."""
        generated, _ = self._draw(self._sample, count, already)
        return int((memorized_fraction(generated, self._set, threshold=self._threshold).ratio < self._threshold).sum())

    def sign(self, found: Memorization) -> bool:
        """Whether more generated images lie close to a training image than chance explains; see `analysis.sign`."""
        known = self._ratios[~np.isnan(self._ratios)]
        if not len(known):
            return False
        close = looser(self._threshold)
        counts = int((found.ratio < close).sum()), len(found.ratio), int((known < close).sum()), len(known)
        return probability_above(*counts) > SIGN

    def doubt(self, generated: Tensor) -> str:
        """Why these samples cannot be good, whatever their distance; empty where nothing speaks against them."""
        count = len(generated)
        if bool((generated == generated[:1]).all()):
            return f"All {count} samples are the same image."
        low, high = (float(end) for end in generated.aminmax())
        scale = other_scale(low, high, count, self._ends)
        darkest, brightest = float(self._ends.min()), float(self._ends.max())
        asked = "does the sampler return them on that scale?"
        if scale:
            return f"Samples lie in {scale}, training images run from {darkest:.3g} to {brightest:.3g}: {asked}"
        bright = high > MANY and low >= -OVERSHOOT * high  # noise, and what diverges, are below 0 as often as above
        scale = other_scale(darkest, brightest, len(self._ends), ends_of(generated)) if bright else ""
        return f"Training images lie in {scale}, samples run from {low:.3g} to {high:.3g}: {asked}" if scale else ""

    def _bar(self) -> float:
        """The distance that samples must come below; none where real images are too few to come below it themselves."""
        one = self._frechet.spread
        real = self._frechet.floor(self._train, min(self._count, len(self._train))).value
        return one - BEYOND_ONE * (one - real) if real is not None and real < one else math.inf

    def ratio_curve(self, found: Memorization) -> dict[str, list[float]]:
        """`threshold`, and the share of generated and of real images below it; empty when ratios mean nothing."""
        if not found.fraction.found or self.floor_counts is None:
            return {}
        generated = found.curve()
        real = np.searchsorted(np.sort(self._ratios), generated.threshold) / len(self._ratios)
        columns = {"threshold": generated.threshold, "generated": generated.value, "heldout": real}
        return {name: column.tolist() for name, column in columns.items()}

    def _draw(self, sample: SampleCallable, count: int, already: int) -> tuple[Tensor, Tensor | None]:
        """Generated images, and the classes asked for where the sampler says them."""
        keys = ("sample", self._seed, already) if already else ("sample", self._seed)
        returned = sample(count, keyed_generator(*keys))
        pair = returned if isinstance(returned, tuple) else (returned, None)
        check(len(pair) == 2, f"sample must return images, or the pair (images, labels), got {len(pair)} things")
        generated, labels = pair
        wanted = (count, *self._train.shape[1:])
        check(isinstance(generated, Tensor), f"sample must return a tensor, got {type(generated).__name__}")
        check(tuple(generated.shape) == wanted, f"sample must return {wanted}, got {tuple(generated.shape)}")
        labels = None if labels is None else as_tensor("labels of samples", labels)
        fits = labels is None or (tuple(labels.shape) == (count,) and not labels.is_floating_point())
        check(fits, f"sample must return one whole-number label for each of {count} images, got {kind_of(labels)}")
        generated = generated.detach().to(self._train)  # what is finite elsewhere may overflow here
        if not bool(torch.isfinite(generated).all()):
            raise NotFinite("samples hold NaN or infinite values")
        return generated, labels

    def _look_at(self, generated: Tensor) -> tuple[Memorization, list[tuple[str, Estimate]]]:
        found = memorized_fraction(generated, self._set, threshold=self._threshold)
        return found, [("f_mem", found.fraction), ("frechet", self._frechet.distance(generated))]


def _share(hits: np.ndarray, what: str) -> Estimate:
    if not len(hits):
        text = "no copies can be told: they need two distinct training images"
        return Estimate(None, None, None, "ill_posed", "ratio_test", text)
    return binomial_estimate(int(hits.sum()), len(hits), what=what)


def _note(holdout: str, count: int) -> str:
    """What the images at hand cannot show; empty when there is nothing to say."""
    if holdout == "kfold":
        return (
            "There are no held-out images: chance is judged across the training images, and quality by the distance to "
            "them, which copies make small; this is weaker evidence."
        )
    if count < FEW:
        high = float(binomial_interval(0, count)[1])
        return f"Only {count} held-out images: even if none passes as a copy, chance could explain up to {high:.0%}."
    return ""


def _across_folds(train: Tensor) -> np.ndarray:
    """(n,) d1/d2 of each training image among those of the other folds; duplicates stay in one fold."""
    rows = (train.float() if train.dtype == torch.bfloat16 else train).detach().cpu().flatten(1)
    _, member = torch.unique(rows, dim=0, return_inverse=True)
    folds = member % FOLDS
    ratios = np.full(len(rows), np.nan)
    for fold in range(FOLDS):
        inside, others = folds == fold, torch.unique(rows[folds != fold], dim=0)
        if bool(inside.any()) and len(others) > 1:
            distance = nearest_neighbours(rows[inside].numpy(), others.numpy(), 2).distances
            ratios[inside.numpy()] = distance[:, 0] / distance[:, 1]
    return ratios
