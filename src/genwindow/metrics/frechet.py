"""A squared Fréchet distance: how far two Gaussians are apart that have the means and covariances of two image sets.

    |mu_1 - mu_2|^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

(Dowson and Landau, J. Multivariate Anal. 12, 1982; squared as in Heusel et al. 2017, arXiv 1706.08500). With
C_i = F_i^T F_i the last trace is the sum of the singular values of F_1 F_2^T, and a centred data matrix is such a
factor: no square root of a product of matrices is taken, nothing turns complex, and covariances without full rank are
exact.

It is always a distance to *held-out* images. To the training images themselves copies would come out best.
It shrinks towards its limit like 1/N, so two distances compare only at the same number of images: hence `floor`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, svd, svdvals
from scipy.stats import t as student

from genwindow.curve import Estimate, short
from genwindow.errors import check, check_integer
from genwindow.metrics.embeddings import principal_components
from genwindow.metrics.rows import as_rows, check_same_images

METHOD = "frechet"
"""Name of the statistic in its estimates."""

COMPONENTS = 64
"""Images with more numbers than this are compared in this many principal components of the held-out images."""

_BATCH = 256  # images embedded at a time

Embedding = Callable[[Any], Any]


@final
class FrechetReference:
    """Held-out images made ready once, to measure distances to them.

    Args:
        heldout: (m, ...) real images never trained on, torch or NumPy, at least two.
        embedding: feature map from a batch of images, given as the caller gives them, to (batch, k) numbers. None takes
            the pixels themselves up to 64 per image, and 64 principal components of `heldout` beyond.

    Raises:
        GenwindowError: when there are fewer than two images, numbers are not finite, or features have a wrong shape.
    """

    def __init__(self, heldout: Any, embedding: Embedding | None = None) -> None:
        self._rows = as_rows("heldout", heldout)
        count, size = self._rows.matrix.shape
        check(count >= 2, f"heldout must hold at least two images, got {count}")
        self.space = f"{size} pixels"
        if embedding is None and size > COMPONENTS:
            embedding = principal_components(self._rows.matrix, min(COMPONENTS, count - 1))
            self.space = f"{embedding.axes.shape[1]} principal components"
        features = _features("heldout", heldout, embedding)
        if embedding is not None and self.space.endswith("pixels"):
            self.space = f"{features.shape[1]} features"
        self.count = count
        self._embedding = embedding
        self._mean = features.mean(axis=0)
        _, values, axes = svd((features - self._mean) / math.sqrt(count - 1), full_matrices=False)
        kept = values > values[0] * max(features.shape) * np.finfo(np.float64).eps
        self._factor: NDArray[np.float64] = (values[kept, None] * axes[kept]).T  # (k, r): covariance = factor factor^T
        self._trace = float((values**2).sum())

    @property
    def spread(self) -> float:
        """Distance of the mean held-out image, repeated: nearer than any other single image."""
        return self._trace

    def distance(self, generated: Any, folds: int = 10) -> Estimate:
        """Squared Fréchet distance of generated images, with its 95 % interval from a block jackknife.

        Args:
            generated: (N, ...) images of the same shape.
            folds: parts left out in turn; N, when there are fewer images.

        Returns:
            `ill_posed` for one image; without an interval where a part leaves fewer than two. The interval tells the
            spread over other samples of the same size; it holds neither the bias of that size nor the choice of the
            held-out images.

        Raises:
            GenwindowError: when there are no images, shapes differ, or numbers are not finite.
        """
        folds = check_integer("folds", folds, low=2)
        check_same_images("generated", as_rows("generated", generated), "heldout", self._rows)
        features = _features("generated", generated, self._embedding)
        count = len(features)
        check(count > 0, "generated must hold at least one image, got 0")
        check(
            features.shape[1] == len(self._mean),
            f"the embedding must give as many features for generated as for heldout, got {features.shape[1]} and "
            f"{len(self._mean)}",
        )
        if count < 2:
            return Estimate(
                None, None, None, "ill_posed", METHOD, "a Fréchet distance needs at least two images, got 1"
            )
        rows = features - features.mean(axis=0)
        shift = features.mean(axis=0) - self._mean
        common = rows @ self._factor
        overlap = float(svdvals(common).sum()) / math.sqrt(count - 1)
        trace = float(np.square(rows).sum()) / (count - 1)
        value = max(0.0, float(shift @ shift) + trace + self._trace - 2 * overlap)
        text = (
            f"squared Fréchet distance {short(value)} in {self.space}, {count} images against {self.count} held-out "
            "real images"
        )
        parts = min(folds, count)
        if count - math.ceil(count / parts) < 2:
            return Estimate(value, None, None, "found", METHOD, text)
        left_out = self._jackknife(rows, shift, common, parts)
        error = math.sqrt((parts - 1) / parts * float(np.square(left_out - left_out.mean()).sum()))
        reach = float(student.ppf(0.975, parts - 1)) * error
        return Estimate(value, max(0.0, value - reach), value + reach, "found", METHOD, text)

    def _jackknife(
        self, rows: NDArray[np.float64], shift: NDArray[np.float64], common: NDArray[np.float64], parts: int
    ) -> NDArray[np.float64]:
        """(parts,) distances without every `parts`-th image, by taking their moments out of the total."""
        count = len(rows)
        gram, squares = common.T @ common, np.square(rows).sum(axis=1)
        values = np.empty(parts)
        for j in range(parts):
            out, out_common = rows[j::parts], common[j::parts]
            rest = count - len(out)
            moved = -out.sum(axis=0) / rest  # rows sum to zero
            moved_common = -out_common.sum(axis=0) / rest
            kept = gram - out_common.T @ out_common - rest * np.outer(moved_common, moved_common)
            overlap = np.sqrt(np.maximum(eigvalsh(kept), 0)).sum() / math.sqrt(rest - 1) if len(kept) else 0.0
            trace = (squares.sum() - squares[j::parts].sum() - rest * (moved @ moved)) / (rest - 1)
            values[j] = np.square(shift + moved).sum() + trace + self._trace - 2 * overlap
        return values

    def floor(self, reference_images: Any, size: int | None = None, folds: int = 10) -> Estimate:
        """Distance of real images from real images: what a perfect generator would reach with as many samples.

        Args:
            reference_images: (k, ...) real images, neither held out nor trained on.
            size: how many of them to use, evenly spaced: as many as will be generated. None uses all.
            folds: as in `distance`.

        Raises:
            GenwindowError: when there are fewer than `size`, and as `distance`.
        """
        images = reference_images if isinstance(reference_images, torch.Tensor) else np.asarray(reference_images)
        count = len(images)
        size = count if size is None else check_integer("size", size, low=1, high=count)
        return self.distance(images[[i * count // size for i in range(size)]], folds)


def frechet_distance(generated: Any, heldout: Any, *, embedding: Embedding | None = None, folds: int = 10) -> Estimate:
    """Squared Fréchet distance between generated and held-out real images; see `FrechetReference`.

    Args:
        generated: (N, ...) generated images, torch or NumPy.
        heldout: (m, ...) real images never trained on. Against training images copies would score best.
        embedding: feature map, or None for pixels and principal components.
        folds: of the block jackknife that gives the interval.

    Raises:
        GenwindowError: as `FrechetReference` and its `distance`.
    """
    return FrechetReference(heldout, embedding).distance(generated, folds)


def _features(name: str, images: Any, embedding: Embedding | None) -> NDArray[np.float64]:
    """(N, k) float64 features."""
    if embedding is None:
        return as_rows(name, images).matrix.double().cpu().numpy()
    found = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH]
        with torch.no_grad():
            given = embedding(batch)
        rows = as_rows(f"the embedding of {name}", given)
        check(
            len(rows.shape) == 2 and rows.shape[0] == len(batch),
            f"the embedding must return ({len(batch)}, k) numbers for {len(batch)} images, got {rows.shape}",
        )
        found.append(rows.matrix.double().cpu().numpy())
    return np.concatenate(found) if found else np.empty((0, 0))
