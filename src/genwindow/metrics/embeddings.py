"""Principal components: the directions in which a set of images varies most, as a feature map.

They are orthonormal, so distances inside their span are the distances between images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from genwindow.errors import check, check_integer
from genwindow.metrics.rows import as_rows

FIT_IMAGES = 4096
"""At most this many images, evenly spaced, are used to find the components."""


@final
@dataclass(frozen=True, eq=False)
class PrincipalComponents:
    """The feature map x -> (x - mean) axes.

    Attributes:
        mean: (d,) mean image.
        axes: (d, k) orthonormal columns, most variance first.
        variance: (k,) variance along each.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    variance: NDArray[np.float64]

    def __call__(self, images: Any) -> NDArray[np.float64]:
        """(N, k) features of (N, ...) images, torch or NumPy.

        Raises:
            GenwindowError: when the images have another size, or numbers are not finite.
        """
        rows = as_rows("images", images)
        size = rows.matrix.shape[1]
        check(size == len(self.mean), f"images must have {len(self.mean)} numbers each, got shape {rows.shape}")
        return (rows.matrix.double().cpu().numpy() - self.mean) @ self.axes


def principal_components(images: Any, k: int) -> PrincipalComponents:
    """Find the k principal components of a set of images.

    Args:
        images: (n, ...) images, torch or NumPy.
        k: how many. Directions without variance are left out, so there may be fewer.

    Raises:
        GenwindowError: when k is larger than the images allow, or all images are the same.
    """
    matrix = as_rows("images", images).matrix
    most = min(len(matrix) - 1, matrix.shape[1])
    check(len(matrix) >= 2, f"principal components need at least two images, got {len(matrix)}")
    k = check_integer("k", k, low=1, high=most)
    rows = matrix[:: -(-len(matrix) // FIT_IMAGES)].double().cpu().numpy()
    mean = rows.mean(axis=0)
    rows = rows - mean
    tall = len(rows) >= rows.shape[1]
    gram = rows.T @ rows if tall else rows @ rows.T
    size = len(gram)
    squares, vectors = eigh(gram, subset_by_index=[max(0, size - k), size - 1])
    kept = np.flatnonzero(squares > size * np.finfo(np.float64).eps * max(squares[-1], 0.0))[::-1]
    check(len(kept) > 0, "principal components need images that differ, but all are the same")
    axes = vectors[:, kept] if tall else rows.T @ vectors[:, kept] / np.sqrt(squares[kept])
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(len(kept))] < 0, -1.0, 1.0)
    return PrincipalComponents(mean, axes, squares[kept] / (len(rows) - 1))
