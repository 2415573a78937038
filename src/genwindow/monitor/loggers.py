"""Loggers: where a monitor's numbers and sentences go, besides its own curves. Two methods, any tracker.

class Logger:
    def log(self, values: Mapping[str, float], step: int) -> None: ...
    def say(self, text: str, step: int) -> None: ...
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, final

from genwindow.monitor.record import Measurement

PREFIX = "genwindow/"


class Logger(Protocol):
    """Anything with these two methods."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Take numbers measured at a step."""
        ...

    def say(self, text: str, step: int) -> None:
        """Take the sentence of a verdict."""
        ...


def values_of(measurement: Measurement) -> dict[str, float]:
    """What a measurement gave, by name: `genwindow/f_mem`, `genwindow/train_loss/t=50`, ..."""
    values = {
        PREFIX + point.name + ("" if point.t is None else f"/t={point.t:g}"): point.value
        for point in measurement.points
    }
    return {**values, PREFIX + "should_stop": float(measurement.verdict.should_stop)}


def tell(logger: Logger, measurement: Measurement) -> None:
    """Hand a measurement to a logger."""
    logger.log(values_of(measurement), measurement.step)
    logger.say(measurement.verdict.text, measurement.step)


@final
class TensorBoardLogger:
    """Writes to a `torch.utils.tensorboard.SummaryWriter`."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Every number is a scalar."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def say(self, text: str, step: int) -> None:
        """The sentence is a text."""
        self._writer.add_text(PREFIX + "verdict", text, step)


@final
class WandbLogger:
    """Writes to a Weights & Biases run, what `wandb.init` returns."""

    def __init__(self, run: Any) -> None:
        self._run = run
        run.define_metric(PREFIX + "step")
        run.define_metric(PREFIX + "*", step_metric=PREFIX + "step")

    def log(self, values: Mapping[str, float], step: int) -> None:
        """Against an axis of their own, with the host's next values, so that its counting of steps is left alone."""
        self._run.log({**values, PREFIX + "step": step}, commit=False)

    def say(self, text: str, step: int) -> None:
        """The last sentence stands in the run's summary."""
        self._run.summary[PREFIX + "verdict"] = text


@final
class MLflowLogger:
    """Writes to an MLflow run by a client.

    Args:
        client: an `mlflow.MlflowClient`.
        run_id: of the run.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    def log(self, values: Mapping[str, float], step: int) -> None:
        """MLflow's names allow no equals sign."""
        for name, value in values.items():
            self._client.log_metric(self._run_id, name.replace("=", " "), value, step=step)

    def say(self, text: str, step: int) -> None:
        """The last sentence is a tag."""
        self._client.set_tag(self._run_id, PREFIX + "verdict", text)
