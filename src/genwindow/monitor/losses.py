"""Numbers of the model itself: losses at fixed diffusion times, further curves of the host, stable ranks of weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from genwindow.errors import NotFinite, check
from genwindow.metrics import denoising_loss, stable_rank
from genwindow.metrics.loss import LossCallable
from genwindow.monitor.record import Slice

ProbeCallable = Callable[[], Slice]


@final
class Losses:
    """Training and held-out denoising loss at fixed diffusion times, with the same noise at every measuring time.

    Args:
        train: (n, ...) training images.
        heldout: (m, ...) held-out images, or None.
        loss: the host's callable, or None to measure nothing.
        times: diffusion times.
        estimate_t: the one that timescales are read from; None takes the middle one.
        images: how many images of each set to use.
        draws: noise draws per image and time.
        seed: of the noise.
    """

    def __init__(
        self,
        train: Tensor,
        heldout: Tensor | None,
        loss: LossCallable | None,
        times: Sequence[float],
        estimate_t: float | None,
        images: int,
        draws: int,
        seed: int,
    ) -> None:
        check(loss is None or len(times) > 0, "a loss needs at least one diffusion time in `times`")
        self._times = tuple(float(t) for t in times)
        check(len(set(self._times)) == len(self._times), f"times must differ from one another, got {self._times}")
        middle = self._times[len(self._times) // 2] if self._times else None
        self.estimate_t = middle if estimate_t is None else float(estimate_t)
        check(
            self.estimate_t is None or self.estimate_t in self._times,
            f"estimate_t must be one of the times {self._times}, got {estimate_t}",
        )
        parts = {"train_loss": train[:images], "heldout_loss": None if heldout is None else heldout[:images]}
        # one image gives no interval
        self._parts = {name: part for name, part in parts.items() if part is not None and len(part) > 1}
        self._loss, self._draws, self._seed = loss, draws, seed

    def measure(self) -> list[tuple[str, Slice]]:
        """`train_loss` and `heldout_loss`.

        Raises:
            NotFinite: when the loss is NaN or infinite.
            GenwindowError: when it has another shape than (B,).
        """
        if self._loss is None:
            return []
        return [
            (name, denoising_loss(self._finite, part, self._times, draws=self._draws, seed=self._seed))
            for name, part in self._parts.items()
        ]

    def _finite(self, x: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        assert self._loss is not None
        found = self._loss(x, t, generator)
        if isinstance(found, Tensor) and found.shape == (len(x),) and not bool(torch.isfinite(found).all()):
            raise NotFinite(f"the loss is NaN or infinite at t = {float(t[0]):g}")
        return found


@dataclass(frozen=True)
class Single:
    """One value that belongs to no diffusion time, as a `Slice`."""

    value: tuple[float]
    t: tuple[None] = (None,)

    @property
    def low(self) -> tuple[float]:
        """The value itself: it has no interval."""
        return self.value

    high = low


@final
class Probes:
    """Further curves of the host: callables that return a `Slice`, and the stable ranks of weight matrices."""

    def __init__(self, probes: Mapping[str, ProbeCallable], weights: Mapping[str, Tensor]) -> None:
        self._probes, self._weights = dict(probes), dict(weights)

    def measure(self) -> list[tuple[str, Any]]:
        """Values by name.

        Raises:
            NotFinite: when weights are NaN or infinite.
        """
        found: list[tuple[str, Any]] = [(name, probe()) for name, probe in self._probes.items()]
        for name, weight in self._weights.items():
            if not bool(torch.isfinite(weight).all()):
                raise NotFinite(f"the weights {name} hold NaN or infinite values")
            found.append((f"stable_rank:{name}", Single((stable_rank(weight),))))
        return found
