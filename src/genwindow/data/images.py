"""A set of images: pixels in [-1, 1] with the exact way back to the values they were read from.

A raw value v becomes the pixel (v - middle) / half, where middle and half are the centre and half the width of
[low, high]. Both directions are computed in float64, so whole numbers up to 16 bits survive the way there and back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.data.ends import WHOLE_ENDS, black_and_white
from genwindow.errors import GenwindowError, check

_BLOCK = 1 << 22  # numbers converted at a time, to bound the memory of float64 work
_WHOLE_LIMIT = 1 << 22  # widest range of whole numbers that float32 pixels carry exactly


def as_numpy(values: Any) -> NDArray[Any]:
    """`values` as NumPy array; a torch tensor is detached and moved to the CPU."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if "bfloat16" in str(values.dtype) else values).numpy()
    try:
        return np.asarray(values)
    except ValueError:
        raise GenwindowError("the array must be rectangular: its rows have different lengths") from None


def owned(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only array that nobody else can write to."""
    if array.flags.writeable:
        array = array.copy()
        array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one size, with what is known about each.

    Arrays are read-only; indexing with an index array gives a copy that can be written to.

    Attributes:
        pixels: (N, C, H, W) float32 in [-1, 1].
        low: the raw value that became -1.
        high: the raw value that became +1.
        whole: whether the raw values were whole numbers, to which `raw` then rounds.
        names: N file names, or "0", "1", ... where there are no files.
        groups: (N,) text; images of one group (a person, a patient) never fall into two different sets. None when
            nothing is known.
        labels: (N,) class indices, or None.
        source: where the images come from, for messages and reports.
        guessed: whether black and white are the smallest and the largest value that were found, for want of others.
    """

    pixels: NDArray[np.float32]
    low: float
    high: float
    whole: bool
    names: tuple[str, ...]
    groups: NDArray[np.str_] | None = None
    labels: NDArray[np.int64] | None = None
    source: str = "array"
    guessed: bool = False

    def __post_init__(self) -> None:
        pixels = np.asarray(self.pixels)
        check(
            pixels.ndim == 4 and pixels.size > 0 and pixels.dtype == np.float32,
            f"Images.pixels must be float32 of shape (N, C, H, W), none of them 0, got {pixels.dtype} {pixels.shape}",
        )
        inside = bool(pixels.min() >= -1 and pixels.max() <= 1)  # false for NaN
        check(inside, f"Images.pixels must lie in [-1, 1], got [{pixels.min():g}, {pixels.max():g}]; see from_raw")
        check(self.low < self.high, f"Images: low must be below high, got {self.low:g} and {self.high:g}")
        object.__setattr__(self, "pixels", owned(np.ascontiguousarray(pixels)))
        object.__setattr__(self, "names", tuple(self.names))
        if self.groups is not None:
            object.__setattr__(self, "groups", owned(np.array(self.groups, dtype=np.str_)))
        if self.labels is not None:
            labels = np.asarray(self.labels)
            ok = labels.dtype.kind in "biu" or (labels.dtype.kind == "f" and bool((labels == np.round(labels)).all()))
            check(ok, f"{self.source}: labels must be whole numbers, got {labels.dtype}")
            wide = labels.astype(np.float64) if labels.dtype.kind == "f" else labels
            inside = labels.dtype.kind in "bi" or bool(((wide >= -(2.0**63)) & (wide < 2**63)).all())
            check(
                inside,
                f"{self.source}: labels must lie in [-2^63, 2^63), got {wide.min(initial=0)} to {wide.max(initial=0)}",
            )
            object.__setattr__(self, "labels", owned(labels.astype(np.int64)))
        for name in ("names", "groups", "labels"):
            given = getattr(self, name)
            ok = given is None or np.shape(given) == (len(pixels),)
            check(
                ok, f"{self.source}: {name} must have one entry for each of {len(pixels)} images, got {np.shape(given)}"
            )

    @classmethod
    def from_raw(
        cls,
        raw: ArrayLike,
        *,
        low: float | None = None,
        high: float | None = None,
        names: Sequence[str] | None = None,
        groups: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        source: str = "array",
    ) -> Images:
        """Images from raw values (N, C, H, W) of any real type.

        Args:
            raw: the values.
            low: what becomes -1; None means 0 for 8-bit, 16-bit and boolean arrays, and for wider whole numbers that
                use the upper half of 8 or 16 bits; else the smallest value.
            high: what becomes +1; None means 255, 65535 or 1 for these, else the largest value.
            names: N names; None numbers the images.
            groups: (N,) texts or None.
            labels: (N,) class indices or None.
            source: where they come from, used in messages.

        Raises:
            GenwindowError: not four-dimensional, empty, not numbers, NaN or infinite, outside [low, high], or one value
                throughout that does not tell black from white.
        """
        raw = np.asarray(raw)
        check(raw.dtype.kind in "biuf", f"{source}: pixels must be real numbers, got an array of {raw.dtype}")
        check(raw.ndim == 4, f"{source}: images must have the shape (N, C, H, W), got {raw.shape}")
        check(raw.size > 0, f"{source}: there are no pixels in shape {raw.shape}")
        given = (low, high)
        low, high = black_and_white(raw, low, high, source)
        middle, half = low / 2 + high / 2, high / 2 - low / 2
        pixels = np.empty(raw.shape, dtype=np.float32)
        step = max(1, _BLOCK // raw[0].size)
        for start in range(0, len(raw), step):
            block = (raw[start : start + step].astype(np.float64) - middle) / half
            pixels[start : start + step] = np.clip(block, -1, 1)
        pixels.setflags(write=False)
        return cls(
            pixels=pixels,
            low=low,
            high=high,
            whole=raw.dtype.kind in "biu" and high - low <= _WHOLE_LIMIT,
            names=tuple(map(str, range(len(raw)) if names is None else names)),
            groups=None if groups is None else np.asarray(groups, dtype=np.str_),
            labels=None if labels is None else np.asarray(labels),
            source=source,
            guessed=given == (None, None) and (low, high) not in WHOLE_ENDS.values(),
        )

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        channels, height, width = self.pixels.shape[1:]
        return channels, height, width

    @cached_property
    def digest(self) -> str:
        """SHA-256 of shape and pixels, in hexadecimal digits: equal exactly when the images are."""
        digest = hashlib.sha256(repr(self.pixels.shape).encode())
        digest.update(self.pixels.astype("<f4", copy=False).data)
        return digest.hexdigest()

    def select(self, indices: ArrayLike) -> Images:
        """The images at `indices` (M,), in that order."""
        chosen = np.asarray(indices)
        check(
            chosen.ndim == 1 and len(chosen) > 0 and chosen.dtype.kind in "iu",
            f"indices must be a list of at least one whole number, got {chosen.dtype} of shape {chosen.shape}",
        )
        inside = bool(chosen.min() >= 0 and chosen.max() < len(self))
        check(inside, f"indices must lie in [0, {len(self) - 1}], got [{chosen.min()}, {chosen.max()}]")
        pixels = self.pixels[chosen]
        pixels.setflags(write=False)
        return Images(
            pixels=pixels,
            low=self.low,
            high=self.high,
            whole=self.whole,
            guessed=self.guessed,
            names=tuple(self.names[i] for i in chosen),
            groups=None if self.groups is None else self.groups[chosen],
            labels=None if self.labels is None else self.labels[chosen],
            source=self.source,
        )

    def raw(self, pixels: ArrayLike) -> NDArray[np.float64]:
        """The raw values of `pixels` (any shape), float64; rounded when the source held whole numbers.

        For sources of at most 16 bits this is the exact inverse, for others it is exact to float32.
        """
        values = as_numpy(pixels).astype(np.float64) * (self.high / 2 - self.low / 2) + (self.low / 2 + self.high / 2)
        return np.round(values) if self.whole else values

    def display(self, pixels: ArrayLike) -> NDArray[np.uint8]:
        """`pixels` (M, C, H, W) as (M, H, W, 1 or 3) bytes to look at; equal to the source where that had 8 bits.

        Values outside [-1, 1] are clipped and NaN is shown as -1. Of two channels the first is shown, of more than
        three the first three.
        """
        values = as_numpy(pixels)
        check(values.ndim == 4, f"pixels must have the shape (M, C, H, W), got {values.shape}")
        shown = values[:, : 3 if values.shape[1] >= 3 else 1].astype(np.float64)
        shown = np.clip(np.nan_to_num(shown, nan=-1.0, posinf=1.0, neginf=-1.0), -1, 1)
        return np.round(shown * 127.5 + 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
