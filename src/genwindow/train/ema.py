"""An exponential moving average of a module's weights, kept beside the module."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import final

import torch
from torch import Tensor, nn

from genwindow.errors import check, check_number
from genwindow.nets import StackedMLP


@final
class EMA:
    """shadow <- decay * shadow + (1 - decay) * weight after every step; decay 0 means no averaging.

    Args:
        module: whose weights are averaged.
        decay: in [0, 1).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = check_number("decay", decay, low=0, high=1, high_open=True)
        self._weights = list(module.parameters()) if decay > 0 else []
        self._shadow = [w.detach().clone() for w in self._weights]

    @classmethod
    @torch.no_grad()
    def joined(cls, stacked: StackedMLP, averages: Sequence[EMA]) -> EMA:
        """The average of stacked weights (K, P); the averages of the K single networks become views of it.

        Args:
            stacked: the networks as one.
            averages: of these networks, all of one decay.
        """
        joined = cls(stacked, averages[0].decay)
        check(all(a.decay == joined.decay for a in averages), "averages must have one decay")
        for every in joined._shadow:
            for average, views in zip(averages, stacked.views(every), strict=True):
                for view, shadow in zip(views, average._shadow, strict=True):
                    view.copy_(shadow)
                average._shadow = views
        return joined

    @torch.no_grad()
    def update(self) -> None:
        """Call once after every optimizer step."""
        if self._shadow:
            torch._foreach_lerp_(self._shadow, [w.detach() for w in self._weights], 1 - self.decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the module has the averaged weights; afterwards its own again, bit for bit."""
        own = [w.detach().clone() for w in self._weights]
        self._load(self._shadow)
        try:
            yield
        finally:
            self._load(own)

    @torch.no_grad()
    def _load(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.copy_(value)

    def state_dict(self) -> dict[str, list[Tensor]]:
        """What `load_state_dict` needs."""
        return {"shadow": self._shadow}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, list[Tensor]]) -> None:
        """Restore the average."""
        for shadow, value in zip(self._shadow, state["shadow"], strict=True):
            shadow.copy_(value)
