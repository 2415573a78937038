"""Frames: the samples of every measuring time, each in a file of its own, `step_000000100.npz`.

step             gradient steps                        ratio            (N,) d1/d2 of every image
generated        (N, H, W, C) 8-bit images             nearest_index    (N,) which training image is nearest
nearest          (`GALLERY`, H, W, C) the nearest training images of the first ones
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.errors import GenwindowError, check
from genwindow.files import making_sense_of, write_atomically
from genwindow.runs.result import Gallery

DIMENSIONS = {"step": 0, "generated": 4, "nearest": 4, "ratio": 1, "nearest_index": 1}
"""Of the arrays in a file."""

GALLERY = 12
"""How many generated images of each measuring time are kept beside their nearest training image."""


def write_frame(folder: Path, step: int, **arrays: Any) -> None:
    """Write `step_<step>.npz`.

    Raises:
        GenwindowError: when it cannot be written.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, step=np.array(step), **arrays)
    write_atomically(folder / f"step_{step:09d}.npz", buffer.getvalue())


def read_ratios(folder: Path) -> tuple[NDArray[np.int64], list[NDArray[np.float64]]]:
    """(T,) steps, and for each the ratio d1/d2 of every image generated then: f_mem at any threshold.

    Raises:
        GenwindowError: when a file is damaged.
    """
    frames = _frames(folder, ("step", "ratio"))
    steps = np.array([int(frame["step"]) for frame in frames], dtype=np.int64)
    return steps, [np.asarray(frame["ratio"], dtype=np.float64) for frame in frames]


def read_gallery(folder: Path) -> Gallery | None:
    """The kept images of every measuring time, or None when there are none.

    Raises:
        GenwindowError: when a file is damaged, or images are of several sizes.
    """
    frames = _frames(folder, tuple(DIMENSIONS))
    if not frames:
        return None
    count = min(GALLERY, *(len(frame["ratio"]) for frame in frames))  # where the first times drew only a few
    with making_sense_of(folder):
        return Gallery(**{k: np.stack([f[k][:count] if f[k].ndim else f[k] for f in frames]) for k in frames[0]})


def _frames(folder: Path, names: Sequence[str]) -> list[dict[str, NDArray[Any]]]:
    return [_frame(file, names) for file in sorted(folder.glob("step_*.npz"))]


def _frame(file: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    try:
        with np.load(file, allow_pickle=False) as frame:
            found = {name: frame[name] for name in names}
        for name, array in found.items():
            check(array.ndim == DIMENSIONS[name] and array.dtype.kind in "iuf", f"{name} has another form")
        return found
    except Exception as error:  # numpy raises many types for a damaged file
        raise GenwindowError(f"{file} is damaged ({type(error).__name__}); delete it") from error
