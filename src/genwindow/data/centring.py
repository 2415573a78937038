"""Centring: subtraction of the mean training image, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.data.images import as_numpy, owned
from genwindow.errors import check


@dataclass(frozen=True, eq=False)
class Centring:
    """Subtraction of the mean training image.

    Attributes:
        mean: (C, H, W) float64.
    """

    mean: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "mean", owned(np.asarray(self.mean, dtype=np.float64)))

    @classmethod
    def fit(cls, pixels: ArrayLike) -> Centring:
        """The mean over the first axis of the training pixels (n, C, H, W), accumulated in float64."""
        values = as_numpy(pixels)
        check(values.ndim >= 2 and len(values) > 0, f"pixels must hold at least one image, got shape {values.shape}")
        return cls(values.mean(axis=0, dtype=np.float64))

    def _match(self, pixels: ArrayLike) -> NDArray[np.float64]:
        values = as_numpy(pixels)
        ok = values.shape[1:] == self.mean.shape
        check(ok, f"pixels must have the shape (M, {', '.join(map(str, self.mean.shape))}), got {values.shape}")
        return values.astype(np.float64)

    def apply(self, pixels: ArrayLike) -> NDArray[np.float32]:
        """`pixels` minus the mean, float32."""
        return (self._match(pixels) - self.mean).astype(np.float32)

    def invert(self, centred: ArrayLike) -> NDArray[np.float32]:
        """`centred` plus the mean, float32; `raw` and `display` of it are exact for whole-number sources."""
        return (self._match(centred) + self.mean).astype(np.float32)
