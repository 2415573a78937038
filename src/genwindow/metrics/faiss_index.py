"""A faiss index: training features prepared once, for many searches of the same set.

faiss only proposes candidates. Their distances are then computed by direct differences in float64 and sorted, so every
distance returned is exact. What can be missing differs by kind:

- A flat index (`cells=None`) compares every pair in float32. Its rounding error is bounded by beta (|x| + |y|)^2 with
  beta about d 2^-24, so a candidate list is complete when its k-th direct distance lies below the last proposed one by
  that much. Where it does not, the query is searched again without faiss: the answer is that of `nearest_neighbours`.
- An index with cells (`cells=4000`, say) looks into the nearest cells only. It is many times faster and may miss
  neighbours, near ones least of all: an exact copy falls into the cell of its original. `recall` measures how many
  queries get all their neighbours.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis import binomial_estimate
from genwindow.curve import Estimate
from genwindow.errors import GenwindowError, check, check_integer
from genwindow.files import replacing
from genwindow.metrics.neighbours import Neighbours, nearest_neighbours
from genwindow.metrics.rows import as_rows, check_same_images

SPARE = 16
"""Candidates beyond k: room for the rounding of float32."""

_BLOCK = 1024
_TRAINED_ON = 64  # rows for each cell, from which its centre is found


@final
class FaissIndex:
    """A training set with its index.

    Args:
        train: (n, ...) NumPy array, which may lie in a file mapped by NumPy.
        cells: None for a flat index; else the number of cells, well below n.
        probes: cells looked into for each query.
        folder: where the index is kept, under a digest of the features: read when it is there, written otherwise; None
            keeps it in memory only.

    Raises:
        GenwindowError: when faiss is not installed, or `train` is no set of finite numbers.
    """

    def __init__(self, train: Any, *, cells: int | None = None, probes: int = 32, folder: Path | None = None) -> None:
        try:
            import faiss
        except ImportError:
            raise GenwindowError("a faiss index needs faiss: pip install 'genwindow[faiss]'") from None
        self._train = train if isinstance(train, np.ndarray) else np.asarray(train)
        rows = as_rows("train", self._train)
        self._rows = rows
        n, dim = rows.matrix.shape
        check(n > 0, f"train must hold at least one image, got shape {rows.shape}")
        self.cells = None if cells is None else check_integer("cells", cells, low=1, high=n)
        self._matrix = self._train.reshape(n, dim)
        self._centre = self._matrix[:: -(-n // 256)].astype(np.float64).mean(axis=0)
        file = None if folder is None else folder / f"{self._digest()}.faiss"
        self._index = _read(faiss, file)
        if self._index is None:
            self._index = self._built(faiss, n, dim)
            if file is not None:
                _write(faiss, self._index, file)
        if self.cells is not None:
            self._index.nprobe = min(check_integer("probes", probes, low=1), self.cells)
        self._longest = max(float(np.linalg.norm(block, axis=1).max()) for block in self._blocks())

    def _centred(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        return np.ascontiguousarray(rows.astype(np.float64) - self._centre, dtype=np.float32)

    def _blocks(self) -> Any:
        step = 16 * _BLOCK
        return (self._centred(self._matrix[i : i + step]) for i in range(0, len(self._matrix), step))

    def _digest(self) -> str:
        digest = hashlib.blake2b(f"{self._matrix.dtype} {self._matrix.shape} {self.cells}".encode(), digest_size=16)
        for start in range(0, len(self._matrix), 16 * _BLOCK):
            digest.update(self._matrix[start : start + 16 * _BLOCK].tobytes())
        return digest.hexdigest()

    def _built(self, faiss: Any, n: int, dim: int) -> Any:
        if self.cells is None:
            index = faiss.IndexFlatL2(dim)
        else:
            index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dim), dim, self.cells)
            index.cp.min_points_per_centroid = 1
            some = np.linspace(0, n - 1, min(n, _TRAINED_ON * self.cells)).astype(np.int64)
            index.train(self._centred(self._matrix[some]))
        for block in self._blocks():
            index.add(block)
        return index

    def nearest(self, queries: Any, k: int = 2) -> Neighbours:
        """The k nearest training images of each query: distances exact, and all of them from a flat index.

        Args:
            queries: (Q, ...) NumPy array.
            k: how many, at most n.

        Raises:
            GenwindowError: when shapes differ, k is larger than n, or numbers are not finite.
        """
        rows = as_rows("queries", queries)
        check_same_images("queries", rows, "train", self._rows)
        n, dim = self._matrix.shape
        k = check_integer("k", k, low=1, high=n)
        flat = np.asarray(queries).reshape(len(rows.matrix), dim)
        distances = np.empty((len(flat), k))
        indices = np.empty((len(flat), k), dtype=np.int64)
        unsure = np.zeros(len(flat), dtype=bool)
        for start in range(0, len(flat), _BLOCK):
            part = slice(start, start + _BLOCK)
            distances[part], indices[part], unsure[part] = self._block(flat[part], k, n, dim)
        if unsure.any():
            again = nearest_neighbours(flat[unsure], self._matrix, k)
            distances[unsure], indices[unsure] = again
        return Neighbours(distances, indices)

    def _block(
        self, queries: NDArray[Any], k: int, n: int, dim: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
        """Distances, indices, and which queries need a search without faiss."""
        x = self._centred(queries)
        listed = min(n, k + SPARE)
        proposed, found = self._index.search(x, listed)
        missing = found < 0
        candidates = np.sort(np.where(missing, n, found), axis=1)  # ties by index, as everywhere
        distance = np.full(found.shape, np.inf)
        for column in range(listed):
            there = np.flatnonzero(candidates[:, column] < n)
            rows = self._matrix[candidates[there, column]].astype(np.float64)
            distance[there, column] = np.linalg.norm(rows - queries[there].astype(np.float64), axis=1)
        order = np.argsort(distance, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(distance, order, axis=1)
        index = np.take_along_axis(candidates, order, axis=1)
        unsure = np.isinf(best[:, -1])
        if self.cells is None and listed < n:
            beta = 1.01 * 2.0**-24 * (2 * dim + 32)
            reach = np.linalg.norm(x.astype(np.float64), axis=1) + self._longest
            unsure |= ~(best[:, -1] ** 2 < proposed[:, -1] - beta * reach**2)
        return best, index, unsure

    def recall(self, queries: Any, k: int = 2) -> Estimate:
        """Share of the queries whose k distances are those of a search without faiss."""
        exact = nearest_neighbours(queries, self._train, k).distances
        hits = np.isclose(self.nearest(queries, k).distances, exact, rtol=1e-9, atol=0).all(axis=1)
        what = f"queries with all of their {k} nearest"
        return binomial_estimate(int(hits.sum()), len(hits), method="recall", what=what)


def _read(faiss: Any, file: Path | None) -> Any:
    if file is None or not file.is_file():
        return None
    try:
        return faiss.read_index(str(file))
    except Exception:  # damaged: built anew
        return None


def _write(faiss: Any, index: Any, file: Path) -> None:
    try:
        with replacing(file) as beside:
            faiss.write_index(index, str(beside))
    except (OSError, RuntimeError) as error:
        raise GenwindowError(f"cannot write the index {file}: {' '.join(str(error).split())[:100]}") from None
