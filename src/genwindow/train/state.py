"""Everything needed to go on training, as one file that holds tensors and plain values only."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import torch

from genwindow.errors import GenwindowError
from genwindow.files import replacing


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that a reader sees the old file or the new one, never a part of one.

    The file it replaces is kept beside it as `previous.pt`.

    Raises:
        OSError: when the place cannot be written.
    """
    buffer = io.BytesIO()
    torch.save(_compact(state), buffer)
    with replacing(path) as beside:
        with beside.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            os.replace(path, path.with_name("previous.pt"))


def _compact(value: Any) -> Any:
    """`value` with tensors that are slices of larger ones copied out: the larger one would be written whole."""
    if isinstance(value, torch.Tensor):
        return value.clone() if value.untyped_storage().nbytes() > value.nbytes else value
    if isinstance(value, dict):
        return {key: _compact(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_compact(item) for item in value)
    return value


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote; no code from the file is run.

    Raises:
        GenwindowError: when the file is truncated or was not written by `save_state`.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict) or "step" not in state:
            raise ValueError("no training state")
        return state
    except Exception as error:  # torch raises many types for a damaged file
        previous = path.with_name("previous.pt")
        rescue = f"; delete it to go on from {previous}" if previous.exists() else "; delete it to start the run anew"
        raise GenwindowError(f"{path} is damaged ({type(error).__name__}){rescue}") from error
