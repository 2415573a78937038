"""PyTorch Lightning: a callback that lets a monitor look on while a `Trainer` trains. Needs the extra `lightning`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from typing_extensions import override

from genwindow.monitor.loggers import PREFIX, tell
from genwindow.monitor.monitor import Monitor

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.utilities import rank_zero_info
except ImportError as error:
    raise ImportError(
        f"genwindow.monitor.lightning needs lightning ({error}): pip install 'genwindow[lightning]'"
    ) from None


@final
class TrainerLogger:
    """Writes to the loggers of a trainer: numbers to all of them, sentences to those that take text, and to the log."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Lightning's own loggers write in the first process only."""
        for logger in self._trainer.loggers:
            logger.log_metrics(dict(values), step=step)

    def say(self, text: str, step: int) -> None:
        """TensorBoard takes texts; everybody reads the log."""
        rank_zero_info(f"genwindow, step {step}: {text}")
        for logger in self._trainer.loggers:
            add_text = getattr(getattr(logger, "experiment", None), "add_text", None)
            if add_text is not None:
                add_text(PREFIX + "verdict", text, step)


@final
class MonitorCallback(Callback):
    """Updates a monitor after every batch; its state travels in the trainer's checkpoints.

    Every process measures, so that all of them have the same curves and verdict; give the monitor the module as
    `modules=[module]` and leave its `every_process` as it is. Steps are `trainer.global_step`, which counts optimizer
    steps.

    Args:
        monitor: built with callables of the module that is trained.
        stop: set `trainer.should_stop` when the rule says so. The trainer still makes its `min_steps`.
        keep: where to write a checkpoint of the best measuring time so far; None writes none.
    """

    def __init__(self, monitor: Monitor, *, stop: bool = False, keep: str | Path | None = None) -> None:
        self.monitor, self.stop, self.keep = monitor, stop, keep

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        measured = self.monitor.update(trainer.global_step)
        if measured is None:
            return
        tell(TrainerLogger(trainer), measured)
        if self.keep is not None and measured.best:
            trainer.save_checkpoint(self.keep)
        if self.stop and measured.verdict.should_stop:
            trainer.should_stop = True

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.monitor.state_dict()

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.monitor.load_state_dict(state_dict)
