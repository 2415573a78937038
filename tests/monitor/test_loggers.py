"""The three trackers' loggers, on stand-ins with the methods of their clients that record every call."""

from unittest.mock import Mock, call

import pytest

from genwindow.monitor import MLflowLogger, TensorBoardLogger, WandbLogger
from genwindow.monitor.loggers import tell
from genwindow.monitor.record import Measurement, Point
from genwindow.monitor.verdict import cannot_tell

TEXT = "Too early to tell."
VALUES = {"genwindow/f_mem": 0.02, "genwindow/train_loss/t=50": 0.5, "genwindow/should_stop": 0.0}


@pytest.fixture
def measured():
    points = (Point(7, 70, "f_mem", None, 0.02, 0.01, 0.03), Point(7, 70, "train_loss", 50.0, 0.5, 0.4, 0.6))
    return Measurement(7, points, None, None, False, cannot_tell(7, TEXT))


def test_tensorboard_has_a_scalar_for_each_number_and_the_sentence_as_a_text(measured):
    writer = Mock(spec=["add_scalar", "add_text"])
    tell(TensorBoardLogger(writer), measured)
    assert writer.add_scalar.mock_calls == [call(name, value, 7) for name, value in VALUES.items()]
    assert writer.add_text.mock_calls == [call("genwindow/verdict", TEXT, 7)]


def test_weights_and_biases_has_the_numbers_against_their_own_axis_and_the_host_counts_its_steps(measured):
    run = Mock(spec=["define_metric", "log"], summary={})
    tell(WandbLogger(run), measured)
    assert run.mock_calls == [
        call.define_metric("genwindow/step"),
        call.define_metric("genwindow/*", step_metric="genwindow/step"),
        call.log({**VALUES, "genwindow/step": 7}, commit=False),
    ]
    assert run.summary == {"genwindow/verdict": TEXT}


def test_mlflow_has_metrics_without_equals_signs_and_the_sentence_as_a_tag(measured):
    client = Mock(spec=["log_metric", "set_tag"])
    tell(MLflowLogger(client, "one"), measured)
    assert client.log_metric.mock_calls == [
        call("one", name.replace("t=50", "t 50"), value, step=7) for name, value in VALUES.items()
    ]
    assert client.set_tag.mock_calls == [call("one", "genwindow/verdict", TEXT)]
