import dataclasses
import importlib
import time

import pytest

from genwindow import GenwindowError
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, Pace, RunConfig, TrainSettings, measure_pace
from genwindow.train import train_steps

SMALL = RunConfig(
    data=DataSettings("digits", 64),
    net=NetSettings("mlp", 32, 1),
    train=TrainSettings(batch=8),
    measure=MeasureSettings(first=10, per_octave=1, samples=32, sampler_steps=10),
)


def test_a_pace_is_measured_in_about_the_time_allowed():
    began = time.perf_counter()
    pace = measure_pace(SMALL, (1, 8, 8), seconds=0.05)
    assert time.perf_counter() - began < 5
    assert 1e-5 < pace.step < 0.5 and 1e-5 < pace.measure < 5


@pytest.mark.parametrize(("batch", "seen"), [(8, 8), (100, 64), (0, 64)])
def test_a_step_is_that_of_the_run(monkeypatch, batch, seen):
    """It takes as many images as a step of the run does; how long that takes is for no test to say."""
    sizes = []

    def counted(*args, **settings):
        for record in train_steps(*args, **settings):
            sizes.append(record.samples // record.step)
            yield record

    monkeypatch.setattr(importlib.import_module("genwindow.runs.pace"), "train_steps", counted)
    measure_pace(dataclasses.replace(SMALL, train=TrainSettings(batch=batch)), (1, 8, 8), seconds=0.01)
    assert set(sizes) == {seen}


def test_closed_form_seconds_of_a_run():
    pace = Pace(step=0.01, measure=2.0)
    assert pace.seconds(SMALL, 80) == pytest.approx(0.8 + 4 * 2.0)  # measured at 10, 20, 40, 80


def test_rejects():
    with pytest.raises(GenwindowError, match="seconds must be a number"):
        measure_pace(SMALL, (1, 8, 8), seconds=-1)
