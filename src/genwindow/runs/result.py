"""What a run has found so far, as plain arrays and the two core types; read from its folder, drawn by the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genwindow.curve import Curve, Estimate
from genwindow.errors import GenwindowError
from genwindow.monitor import Verdict
from genwindow.runs.config import RunConfig


@dataclass(frozen=True)
class Gallery:
    """The same few noise seeds sampled at every measuring time, each beside its nearest training image.

    Attributes:
        step: (T,) gradient steps.
        generated: (T, K, H, W, C) 8-bit images, C = 1 or 3.
        nearest: (T, K, H, W, C) the nearest training image of each.
        ratio: (T, K) distance to the nearest over the distance to the second-nearest distinct training image.
        nearest_index: (T, K) which training image the nearest one is.
    """

    step: NDArray[np.int64]
    generated: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    ratio: NDArray[np.float64]
    nearest_index: NDArray[np.int64]


@dataclass(frozen=True)
class RunResult:
    """One run: settings, curves, estimates, sample gallery.

    Attributes:
        folder: where it lies.
        config: its settings.
        status: `begun`, `running`, `done`, `interrupted` or `failed`.
        message: why it failed, or why it was ended before its last step; empty otherwise.
        curves: every measured curve: `f_mem`, `frechet`, and for each fixed diffusion time one `train_loss` and one
            `heldout_loss`.
        estimates: `tau_gen`, `tau_gen_loss`, `tau_mem`, `tau_mem_loss`, `f_mem_final`, `floor` (f_mem of held-out
            real images), `frechet_best`, `frechet_floor` (real images against real images), `frechet_noise`.
        ratio_curve: f_mem as a function of the ratio threshold at the last measuring time: `threshold`, `generated`,
            `heldout`, three arrays of one length. Empty when nothing was measured yet.
        gallery: samples for looking at, or None when no image could be kept.
        parameters: number of trained parameters.
        duplicates: how many training images are exact copies of another one.
        groups: how many groups of images went where, in words; empty without groups.
        seconds: time spent training and measuring.
        verdicts: where in its window the run was at each measuring time.
    """

    folder: Path
    config: RunConfig
    status: str
    curves: tuple[Curve, ...]
    estimates: dict[str, Estimate]
    message: str = ""
    ratio_curve: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    gallery: Gallery | None = None
    parameters: int = 0
    duplicates: int = 0
    groups: str = ""
    seconds: float = 0.0
    verdicts: tuple[Verdict, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        """The last verdict, or None before the first measuring time."""
        return self.verdicts[-1] if self.verdicts else None

    @property
    def state(self) -> str:
        """The status, but `ended early` for a run that was ended because it had told enough."""
        return "ended early" if self.status == "interrupted" and self.message else self.status

    @property
    def n(self) -> int:
        """Number of training images."""
        return self.config.data.n

    def curves_named(self, name: str) -> tuple[Curve, ...]:
        """All curves of that name, ordered by their diffusion time."""
        return tuple(sorted((c for c in self.curves if c.name == name), key=lambda c: c.t or 0.0))

    def curve(self, name: str, t: float | None = None) -> Curve:
        """The one curve of that name (and diffusion time).

        Raises:
            GenwindowError: when the run has no such curve.
        """
        for curve in self.curves:
            if curve.name == name and (t is None or curve.t == t):
                return curve
        raise GenwindowError(f"{self.folder} has no curve {name!r}; it has {sorted({c.name for c in self.curves})}")
