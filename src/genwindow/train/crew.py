"""A crew: the processes that train one network together, each on its share of every batch. Needs `accelerate`.

`accelerate launch -m genwindow train ...` begins one process for each graphics card, and
`torchrun --nproc-per-node 2 -m genwindow train ...` any number of them, on CPUs too. All of them draw the
same batch, diffusion times and noise, each works on every world-th image of it, and gradients are summed before the
step: order of the data and losses are those of a single process, up to rounding. Dropout is the one exception, since
each process draws its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from genwindow.errors import GenwindowError

WAIT = timedelta(hours=12)
"""How long the others wait while the first process measures."""


@dataclass(frozen=True)
class Crew:
    """The processes of one run, seen from one of them.

    Attributes:
        rank: of this process, 0 for the first, which alone measures and writes.
        world: how many there are.
        device: of this process; None for the one that the settings name.
    """

    rank: int = 0
    world: int = 1
    device: torch.device | None = None
    _accelerator: Any = None

    @property
    def first(self) -> bool:
        """Whether this process measures and writes."""
        return self.rank == 0

    def part(self, batch: Tensor) -> Tensor:
        """(ceil(B / world) or fewer, ...) the share of this process of a batch (B, ...)."""
        return batch[self.rank :: self.world] if self.world > 1 else batch

    def total(self, value: Tensor) -> Tensor:
        """The sum of a tensor over all processes, the same in each."""
        return value if self.world == 1 else self._accelerator.reduce(value, "sum")

    def total_gradients(self, weights: Iterable[Tensor]) -> None:
        """Replace every gradient by its sum over all processes; a process without images has zero gradients."""
        if self.world == 1:
            return
        weights = list(weights)
        flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).reshape(-1) for w in weights])
        pieces = self.total(flat).split([w.numel() for w in weights])
        for weight, piece in zip(weights, pieces, strict=True):
            weight.grad = piece.reshape(weight.shape).clone()

    def wait(self) -> None:
        """Until all processes have come here."""
        if self.world > 1:
            self._accelerator.wait_for_everyone()


def join_crew(device: str) -> Crew:
    """The crew that the launcher's environment describes; alone without a launcher.

    Args:
        device: of the settings; `cpu` keeps every process on the CPU.

    Raises:
        GenwindowError: when a launcher was used and accelerate is not installed.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return Crew()
    try:
        from accelerate import Accelerator, InitProcessGroupKwargs
    except ImportError:
        raise GenwindowError("several processes need the extra: pip install 'genwindow[accelerate]'") from None
    accelerator = Accelerator(cpu=device == "cpu", kwargs_handlers=[InitProcessGroupKwargs(timeout=WAIT)])
    return Crew(accelerator.process_index, accelerator.num_processes, accelerator.device, accelerator)
