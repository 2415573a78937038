"""A running f_mem: generated images are handed over in batches, the answer is asked for at the end.

The interface is that of torchmetrics: `update`, `compute`, `reset`.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from genwindow.errors import check
from genwindow.metrics.memorization import Memorization, TrainingSet, memorized_fraction
from genwindow.metrics.rows import as_rows


@final
class CopyRate:
    """f_mem of everything handed over so far. The images are kept, as rows of their own type (bfloat16 as float32).

    Args:
        train: (n, ...) training images, or a `TrainingSet`.
        heldout: (M, ...) real images never trained on, for the floor; or None.
        threshold: see `memorized_fraction`.

    Example:
        >>> rate = CopyRate([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> rate.update([[0.0, 0.0]])
        >>> rate.update([[0.5, 0.5]])
        >>> rate.compute().fraction.value
        0.5
    """

    def __init__(self, train: Any, *, heldout: Any = None, threshold: float = 1 / 3) -> None:
        self._train = train if isinstance(train, TrainingSet) else TrainingSet(train)
        self._heldout, self._threshold = heldout, threshold
        self._seen: list[NDArray[Any]] = []

    def update(self, generated: Any) -> None:
        """Take in a batch (N, ...); N = 0 is allowed.

        Raises:
            GenwindowError: when numbers are not finite.
        """
        rows = as_rows("generated", generated).matrix.cpu()
        rows = rows.float() if rows.dtype is torch.bfloat16 else rows  # which NumPy lacks
        self._seen.append(rows.numpy().copy())

    def compute(self) -> Memorization:
        """The answer for all batches together.

        Raises:
            GenwindowError: when nothing was handed over, or images differ in shape.
        """
        batches = [batch for batch in self._seen if len(batch)]
        check(bool(batches), "compute needs images: call update first")
        widths = {batch.shape[1] for batch in batches}
        check(len(widths) == 1, f"update was given images of different sizes: {sorted(widths)} numbers each")
        rows = np.concatenate(batches)
        return memorized_fraction(rows, self._train, heldout=self._heldout, threshold=self._threshold)

    def reset(self) -> None:
        """Forget all batches."""
        self._seen.clear()
