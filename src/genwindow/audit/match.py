"""A match: the training image and the small change that together explain a sample best.

A mirrored, shifted or brightened copy is still a copy. The search has two stages. The amplitudes of the Fourier
transform do not change when an image is shifted, and mirroring maps them onto those of the mirror image, so their
nearest neighbours make a short list whatever the shift. On the short list every flip and shift is tried, brightness and
contrast are fitted in closed form, and for the best few also a blur and a crop. The score of a sample is the distance
of its best match over that of its best match with any *other* training image: near 0 for a copy, near 1 otherwise.
The same search is made for held-out images, whose scores say how small a score chance gives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from genwindow.errors import check
from genwindow.metrics import nearest_neighbours

FLIPS: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("", ()), ("mirrored", (-1,)), ("upside down", (-2,)), ("turned by 180 degrees", (-2, -1))
)  # fmt: skip
CONTRAST = (0.75, 1.35)
BRIGHTNESS = 0.3
LISTED = 16
"""Candidates taken from each of the short lists."""

LARGE = 14
"""Shorter side, in pixels, from which shifts, blur and crop are tried."""

CLOSER = 4
"""Candidates for which blur and crop are tried."""

_PAIRS = 1 << 11


@dataclass(frozen=True, eq=False)
class Matches:
    """The best match of each of N samples.

    Attributes:
        index: (N,) training image.
        other: (N,) best training image outside its cluster, -1 where there is none.
        distance: (N,) root mean square difference of the pixels after the change.
        score: (N,) distance over that to `other`; NaN where there is no other.
        change: N descriptions of the change, empty for none.
    """

    index: NDArray[np.int64]
    other: NDArray[np.int64]
    distance: NDArray[np.float64]
    score: NDArray[np.float64]
    change: tuple[str, ...]


class Matcher:
    """Training images made ready to be matched.

    Args:
        train: (n, C, H, W) float32 in [-1, 1].
        cluster: (n,) duplicates share a number.
    """

    def __init__(self, train: NDArray[np.float32], cluster: NDArray[np.int64]) -> None:
        check(train.ndim == 4 and len(train) == len(cluster), "train must be (n, C, H, W) with one cluster each")
        self._train, self._cluster = train, cluster
        self._first = np.unique(cluster)  # one image of each cluster is searched: duplicates would fill the lists
        self._amplitudes = amplitudes(train[self._first])
        self._shift = 0 if min(train.shape[2:]) < LARGE else 2

    def match(self, samples: NDArray[np.float32], leave_out: NDArray[np.int64] | None = None) -> Matches:
        """Match samples (N, C, H, W).

        Args:
            samples: images of the same shape as the training images.
            leave_out: (N,) clusters that a sample must not be matched with, for training images themselves.
        """
        candidates = self._candidates(samples)
        n = len(samples)
        index, other = np.zeros(n, dtype=np.int64), np.full(n, -1, dtype=np.int64)
        distance, score = np.zeros(n), np.full(n, np.nan)
        change: list[str] = []
        step = max(1, _PAIRS // candidates.shape[1])
        for start in range(0, n, step):
            block = slice(start, start + step)
            banned = None if leave_out is None else leave_out[block]
            found = self._match_block(samples[block], candidates[block], banned)
            index[block], other[block], distance[block], score[block] = found[:4]
            change += found[4]
        return Matches(index, other, distance, score, tuple(change))

    def _candidates(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """(N, K) positions in the training set, from three short lists; an image may stand in several."""
        k = min(LISTED, len(self._first))
        pixels = nearest_neighbours(samples, self._train[self._first], k).indices
        plain = nearest_neighbours(amplitudes(samples), self._amplitudes, k).indices
        mirrored = nearest_neighbours(amplitudes(samples[..., ::-1]), self._amplitudes, k).indices
        return self._first[np.concatenate([pixels, plain, mirrored], axis=1)]

    def _match_block(
        self, samples: NDArray[np.float32], candidates: NDArray[np.int64], banned: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], list[str]]:
        query = torch.from_numpy(np.array(samples))
        images = torch.from_numpy(self._train[candidates])
        squares, which = _try_all(query, images, self._shift)
        group = self._cluster[candidates]
        if banned is not None:
            squares = np.where(group == banned[:, None], np.inf, squares)
        order = np.argsort(squares, axis=1, kind="stable")
        kinds = np.zeros(squares.shape, dtype=np.int64)
        closer = order[:, : min(CLOSER, order.shape[1])]
        rows = np.arange(len(samples))[:, None]
        for kind, changed in enumerate((_blurred, _cropped), start=1):
            if min(samples.shape[2:]) < LARGE:
                break
            few = images[torch.from_numpy(rows), torch.from_numpy(closer)]
            again, at = _try_all(query, changed(few), self._shift)
            again = np.where(np.isinf(squares[rows, closer]), np.inf, again)
            better = again < squares[rows, closer] * 0.8  # a change must explain something to be named
            for table, new in ((squares, again), (which, at), (kinds, np.full_like(at, kind))):
                table[rows, closer] = np.where(better, new, table[rows, closer])
        best = np.argmin(squares, axis=1)
        flat = np.arange(len(samples))
        distance = np.sqrt(squares[flat, best])
        own = group[flat, best]
        away = np.where(group == own[:, None], np.inf, squares)
        second = np.argmin(away, axis=1)
        there = np.isfinite(away[flat, second]) & np.isfinite(squares[flat, best])
        far = np.sqrt(np.where(there, away[flat, second], 1.0))
        score = np.where(there, np.where(far > 0, distance / np.where(far > 0, far, 1.0), 1.0), np.nan)
        words = [_describe(int(which[i, b]), int(kinds[i, b]), self._shift) for i, b in zip(flat, best, strict=True)]
        other = np.where(there, candidates[flat, second], -1)
        return candidates[flat, best], other, distance, score, words


def amplitudes(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, k) amplitudes of the Fourier transform about the mean, of length 1: blind to shift, brightness, contrast."""
    centred = images - images.mean(axis=(2, 3), keepdims=True)
    found = np.abs(np.fft.rfft2(centred)).reshape(len(images), -1)
    length = np.linalg.norm(found, axis=1, keepdims=True)
    return np.asarray(found / np.maximum(length, 1e-12), dtype=np.float32)


def _try_all(query: Tensor, images: Tensor, shift: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(B, K) smallest mean square difference over flips and shifts, contrast and brightness fitted; and which (B, K).

    Args:
        query: (B, C, H, W).
        images: (B, K, C, H, W).
        shift: largest shift in pixels; the rim of that width is left out.
    """
    height, width = query.shape[2:]
    inner = query[:, :, shift : height - shift, shift : width - shift]
    flips = torch.stack([inner.flip(dims) if dims else inner for _, dims in FLIPS], 1).flatten(2)
    size = flips.shape[2]
    q_mean = flips.mean(2, keepdim=True)
    centred = flips - q_mean
    q_var = (centred.double() ** 2).sum(2)[:, None, :]
    moves = [(dy, dx) for dy in range(-shift, shift + 1) for dx in range(-shift, shift + 1)]
    found = []
    for dy, dx in moves:
        part = images[..., shift + dy : height - shift + dy, shift + dx : width - shift + dx].flatten(2)
        x_mean = part.mean(2, keepdim=True)
        offset = part - x_mean
        cross = torch.einsum("bkd,bfd->bkf", offset, centred).double()
        x_var = (offset.double() ** 2).sum(2)[:, :, None]
        gain = (cross / q_var.clamp(min=1e-12)).clamp(*CONTRAST)
        lift = x_mean.double() - gain * q_mean.double().transpose(1, 2)
        beyond = (lift.abs() - BRIGHTNESS).clamp(min=0)
        found.append((x_var - 2 * gain * cross + gain**2 * q_var) / size + beyond**2)
    every = torch.stack(found, 2).flatten(2)  # (B, K, moves * flips)
    value, at = every.min(2)
    exact = _directly(query, images, at, value, moves, shift)
    return exact.numpy(), at.numpy()


def _directly(
    query: Tensor, images: Tensor, at: Tensor, value: Tensor, moves: list[tuple[int, int]], shift: int
) -> Tensor:
    """The same differences of the few best candidates pixel by pixel: the expanded square loses its digits near 0."""
    height, width = query.shape[2:]
    result = value.clamp(min=0).clone()
    few = value.topk(min(3, value.shape[1]), dim=1, largest=False).indices
    for b in range(len(query)):
        for k in few[b].tolist():
            move, flip = divmod(int(at[b, k]), len(FLIPS))
            (dy, dx), (_, dims) = moves[move], FLIPS[flip]
            q = query[b, :, shift : height - shift, shift : width - shift].double()
            q = q.flip(dims) if dims else q
            x = images[b, k, :, shift + dy : height - shift + dy, shift + dx : width - shift + dx].double()
            dq, dx_ = q - q.mean(), x - x.mean()
            square = (dq**2).sum()
            gain = ((dq * dx_).sum() / square.clamp(min=1e-24)).clamp(*CONTRAST)
            if ((x - q) ** 2).sum() <= ((dx_ - gain * dq) ** 2).sum():  # an exact copy stays exact
                gain = torch.ones((), dtype=torch.float64)
            beyond = ((x.mean() - gain * q.mean()).abs() - BRIGHTNESS).clamp(min=0)
            result[b, k] = ((dx_ - gain * dq) ** 2).mean() + beyond**2
    return result


def residual(sample: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float64]:
    """(C, H, W) what is left of a training image once the sample, changed as fits best, is taken off; 0 on the rim.

    Args:
        sample: (C, H, W).
        image: (C, H, W) the training image that it is matched with.
    """
    height, width = sample.shape[1:]
    shift = 0 if min(height, width) < LARGE else 2
    query, first = torch.from_numpy(np.array(sample))[None], torch.from_numpy(np.array(image))[None, None]
    tried = [first] if shift == 0 else [first, _blurred(first), _cropped(first)]
    found = [_try_all(query, one, shift) for one in tried]
    best = 0
    for kind in range(1, len(tried)):
        if found[kind][0][0, 0] < 0.8 * found[best][0][0, 0]:
            best = kind
    move, flip = divmod(int(found[best][1][0, 0]), len(FLIPS))
    dy, dx = (part - shift for part in divmod(move, 2 * shift + 1))
    q = query[0, :, shift : height - shift, shift : width - shift].double()
    q = q.flip(FLIPS[flip][1]) if FLIPS[flip][1] else q
    x = tried[best][0, 0, :, shift + dy : height - shift + dy, shift + dx : width - shift + dx].double()
    dq, offset = q - q.mean(), x - x.mean()
    gain = ((dq * offset).sum() / (dq**2).sum().clamp(min=1e-24)).clamp(*CONTRAST)
    left = torch.zeros(sample.shape, dtype=torch.float64)
    rest = x - q if ((x - q) ** 2).sum() <= ((offset - gain * dq) ** 2).sum() else offset - gain * dq
    left[:, shift + dy : height - shift + dy, shift + dx : width - shift + dx] = rest
    return np.asarray(left.numpy())


def _blurred(images: Tensor) -> Tensor:
    """Each image of (B, K, C, H, W) blurred by a 3x3 binomial."""
    row = torch.tensor([0.25, 0.5, 0.25])
    flat = images.flatten(0, 2)[:, None]
    smooth = functional.conv2d(functional.pad(flat, (1, 1, 1, 1), mode="replicate"), (row[:, None] * row)[None, None])
    return smooth.view(images.shape)


def _cropped(images: Tensor) -> Tensor:
    """The central 88 % of each image of (B, K, C, H, W), enlarged to the whole frame."""
    height, width = images.shape[-2:]
    top, left = max(1, round(0.06 * height)), max(1, round(0.06 * width))
    flat = images.flatten(0, 1)[:, :, top : height - top, left : width - left]
    return functional.interpolate(flat, (height, width), mode="bilinear", align_corners=False).view(images.shape)


def _describe(which: int, kind: int, shift: int) -> str:
    move, flip = divmod(which, len(FLIPS))
    dy, dx = (part - shift for part in divmod(move, 2 * shift + 1))
    words = [FLIPS[flip][0], ("", "blurred", "cropped")[kind]]
    if dy or dx:
        words.append(f"shifted by {abs(dx)}, {abs(dy)} pixels")
    return ", ".join(filter(None, words))
