"""accelerate: a monitor's numbers and sentences go to the trackers of an `Accelerator`, its state into `save_state`.

    monitor = Monitor(..., modules=[model], logger=AcceleratorLogger(accelerator))
    accelerator.register_for_checkpointing(monitor)

The second line needs nothing of ours, since a monitor has `state_dict` and `load_state_dict`. accelerate pickles that
state, plain values only, beside the other files of the checkpoint. Every process calls `update` and measures. Needs the
extra `accelerate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from genwindow.monitor.loggers import PREFIX

try:
    from accelerate import Accelerator
except ImportError as error:
    raise ImportError(
        f"genwindow.monitor.accelerate needs accelerate ({error}): pip install 'genwindow[accelerate]'"
    ) from None


@final
class AcceleratorLogger:
    """Writes to every tracker of an accelerator; its first process alone writes."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._accelerator = accelerator

    def log(self, values: Mapping[str, float], step: int) -> None:
        """At the steps of the monitor, which should be those of the host's own `accelerator.log`."""
        self._accelerator.log(dict(values), step=step)

    def say(self, text: str, step: int) -> None:
        """A text where the tracker has texts."""
        self._accelerator.log({PREFIX + "verdict": text}, step=step)
