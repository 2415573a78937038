"""Agreement: under data-parallel training every process goes on with what the first one measured.

All processes measure at the same steps, so collective calls of a wrapped model meet their partners. Rounding may still
differ between them, and a verdict on which they disagree would leave some of them waiting for the others.
"""

from __future__ import annotations

from typing import TypeVar

import torch

T = TypeVar("T")


def as_first(value: T, together: bool = True) -> T:
    """The value that the first process has; the value itself in a single process.

    Args:
        value: plain numbers and texts, the same kind in every process.
        together: whether all processes come here; False gives the value itself.
    """
    if not _several(together):
        return value
    box = [value]
    torch.distributed.broadcast_object_list(box, src=0)
    return box[0]


def first_text(text: str, together: bool = True) -> str:
    """The first text of any process that is not empty, for all of them: what one has met, all have."""
    if not _several(together):
        return text
    texts: list[str] = [""] * torch.distributed.get_world_size()
    torch.distributed.all_gather_object(texts, text)
    return next(filter(None, texts), "")


def is_first() -> bool:
    """Whether this is the first process, or the only one."""
    return not _several(True) or torch.distributed.get_rank() == 0


def _several(together: bool) -> bool:
    distributed = torch.distributed
    return together and distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1
