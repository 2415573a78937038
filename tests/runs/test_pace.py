import dataclasses
import time

import pytest

from genwindow import GenwindowError
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, Pace, RunConfig, TrainSettings, measure_pace

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


def test_order_a_step_on_all_images_costs_more():
    wide = dataclasses.replace(SMALL, net=NetSettings("mlp", 256, 3), data=DataSettings("digits", 4096))
    full = dataclasses.replace(wide, train=TrainSettings(batch=0))
    few, many = (measure_pace(config, (1, 8, 8), seconds=0.1) for config in (wide, full))
    assert many.step > 3 * few.step


def test_closed_form_seconds_of_a_run():
    pace = Pace(step=0.01, measure=2.0)
    assert pace.seconds(SMALL, 80) == pytest.approx(0.8 + 4 * 2.0)  # measured at 10, 20, 40, 80


def test_rejects():
    with pytest.raises(GenwindowError, match="seconds must be a number"):
        measure_pace(SMALL, (1, 8, 8), seconds=-1)
