import dataclasses

import pytest

from genwindow.runs import DataSettings, DiffusionSettings, MeasureSettings, RunConfig, TrainSettings, work
from genwindow.runs.work import measuring_passes

MEASURE = MeasureSettings(
    first=10, per_octave=1, samples=7, sampler_steps=3, loss_images=4, loss_draws=2, loss_times=(0.1, 0.2)
)
ONE = 7 * 3 + 2 * 4 * 2 * 2  # one measurement: sampling, and losses on training and held-out images


def config(n=100, steps=45, batch=8, measure=MEASURE):
    return RunConfig(data=DataSettings(n=n), train=TrainSettings(steps=steps, batch=batch), measure=measure)


@pytest.mark.parametrize(
    ("step", "measured"),
    [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (44, 3), (45, 4)],  # at 10, 20, 40 and at the end
)
def test_closed_form_count_of_passes(step, measured):
    assert work(config(), step) == 3 * 8 * step + ONE * measured


def test_the_last_step_is_measured_once():
    assert work(config(steps=40), 40) == 3 * 8 * 40 + 3 * ONE


def test_a_batch_is_never_larger_than_the_set_and_zero_is_the_set():
    assert work(config(n=5), 9) == work(config(n=5, batch=0), 9) == 3 * 5 * 9


@pytest.mark.parametrize(("schedule", "steps"), [("linear", 1000), ("cosine", 1000), ("flow", 100), ("ou", 100)])
def test_sampling_without_a_number_of_steps_counts_those_that_the_sampler_makes(schedule, steps):
    measure = dataclasses.replace(MEASURE, sampler_steps=None)
    asked = dataclasses.replace(config(measure=measure), diffusion=DiffusionSettings(schedule=schedule))
    assert measuring_passes(asked) == ONE - 7 * 3 + 7 * steps


def test_work_only_grows():
    done = [work(config(), step) for step in range(46)]
    assert all(a < b for a, b in zip(done, done[1:], strict=False))
