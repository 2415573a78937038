"""The audit's demo: a positive and a negative control on embedded digits.

Half of the digits are the training images. In the positive control 20 of 400 "generated" images are copies of training
images, some exact, some mirrored, brightened or noisy; in the negative control all 400 are real digits that were not
trained on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from genwindow.audit import Audit, audit
from genwindow.data import Images, named_set

PLANTED = 20
GENERATED = 400


@dataclass(frozen=True, eq=False)
class Controls:
    """Both controls.

    Attributes:
        positive: audit of the set with planted copies.
        negative: audit of the set without.
        planted: how many copies were planted.
        recovered: how many of them the audit marks, with the right training image.
        accused: how many real images of the negative control it calls clear copies.
    """

    positive: Audit
    negative: Audit
    planted: int
    recovered: int
    accused: int


def run_controls(seed: int = 0, on_progress: Callable[[float, str], None] = lambda share, what: None) -> Controls:
    """Make and audit both controls."""
    digits = named_set("digits")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(digits))
    train, heldout = digits.select(order[:800]), digits.select(order[800:1200])
    clean = digits.select(order[1200 : 1200 + GENERATED])
    pixels = clean.pixels.copy()
    source = rng.choice(len(train), PLANTED, replace=False)
    pixels[:PLANTED] = _planted(train.pixels[source], rng)
    dirty = Images.from_raw(digits.raw(pixels), low=digits.low, high=digits.high, source="planted")
    positive = audit(train, dirty, heldout, on_progress=lambda share, what: on_progress(share / 2, what))
    negative = audit(train, clean, heldout, on_progress=lambda share, what: on_progress(0.5 + share / 2, what))
    marked = {pair.generated: pair.train for pair in positive.found}
    recovered = sum(marked.get(i) == int(source[i]) for i in range(PLANTED))
    return Controls(positive, negative, PLANTED, recovered, sum(pair.strict for pair in negative.pairs))


def _planted(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exact, mirrored, brightened and noisy copies in turn."""
    made = images.copy()
    made[1::4] = made[1::4, ..., ::-1]
    made[2::4] = np.clip((made[2::4] + 1) * 1.1 - 1, -1, 1)
    made[3::4] = np.clip(made[3::4] + rng.normal(0, 0.04, made[3::4].shape), -1, 1)
    return made
