"""A scale: the numbers that stand for black and white, such as [0, 1], [-1, 1] or 0 to 255.

Copies on another scale than the training images lie far from them, and would pass for new images. Nobody writes the
scale of real numbers down, so it is judged by the images: those of one set all lie where those of the other seldom do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.metrics.rows import as_rows

OVERSHOOT = 0.25
"""Values may leave [0, 1] by so much of its length: nobody clipped them."""

FAR = 0.5
"""Values so far outside [0, 1] are on another scale."""

MANY = 10.0
"""Values that are not below 0 and reach so far are neither on [0, 1] nor on [-1, 1]."""

OFTEN = 0.1
"""Share of images that must reach far out; fewer may be outliers."""

CHANCE = 0.01


def ends_of(images: Any) -> NDArray[np.float64]:
    """(n, 2) smallest and largest value of each image (n, ...), torch or NumPy."""
    low, high = as_rows("images", images).matrix.aminmax(dim=1)
    return np.stack([low.double().cpu().numpy(), high.double().cpu().numpy()], axis=1)


def other_scale(low: float, high: float, count: int, ends: NDArray[np.float64]) -> str:
    """Whether a set of images must be on another scale than further images.

    It must when it lies in [0, 1] or [-1, 1], and so many of the further images reach far out of that range that
    `count` of them would hardly (1 %) all stay inside. A few bright images are none such.

    Args:
        low: smallest value of the set.
        high: largest value of the set.
        count: number of its images.
        ends: (n, 2) smallest and largest value of each of the further images.

    Returns:
        The range of the set, in words, or nothing where it may be on the same scale.

    Example:
        >>> other_scale(0.0, 1.0, 100, np.array([[-1.0, 1.0], [-0.9, 0.8], [0.1, 1.0]]))
        '[0, 1]'
        >>> other_scale(0.0, 1.0, 2, np.array([[-1.0, 1.0], [0.2, 0.8], [0.1, 1.0]]))
        ''
    """
    if low >= -OVERSHOOT * min(high, 1) and high <= 1 + OVERSHOOT:  # small values around 0 are none of [0, 1]
        name, out = "[0, 1]", (ends[:, 0] < -FAR) | (ends[:, 1] > 1 + FAR)
    elif low >= -1 - 2 * OVERSHOOT and high <= 1 + 2 * OVERSHOOT:
        name, out = "[-1, 1]", (ends[:, 1] > MANY) & (ends[:, 0] > -OVERSHOOT * ends[:, 1])
    else:
        return ""
    share = float(out.mean())
    return name if share >= OFTEN and (1 - share) ** count < CHANCE else ""
