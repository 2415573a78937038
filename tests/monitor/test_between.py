"""Measuring times between those of the schedule, while copies threaten before samples are good."""

import json

import numpy as np
import pytest
import torch
from tests.monitor import test_monitor

from genwindow.monitor import Monitor
from genwindow.monitor.times import PER_OCTAVE

TRAIN, HELDOUT = 0.3 * test_monitor.TRAIN, 0.3 * test_monitor.HELDOUT  # unlike pure noise
PLAN = [100, 200, 400, 800, 1600, 3200, 6400]
STEPS = range(1, 6401)


class Host:
    """Samples that get better to the end; from step 150 on a part of them lies close to training images, no copies."""

    def __init__(self, close=0.2, better=True):
        self.step, self.close, self.better = 0, close, better

    def sample(self, count, generator):
        images = torch.randn((count, 1, 4, 4), generator=generator)
        images *= 1 - 0.7 * self.step / STEPS[-1] if self.better else 0.3
        if self.step > 150:
            away = torch.randn((int(self.close * count), 16), generator=generator)
            away = 0.55 * away / away.norm(dim=1, keepdim=True)  # the next training image is about 1.3 away
            images[: len(away)] = TRAIN[torch.arange(len(away)) % len(TRAIN)] + away.reshape(-1, 1, 4, 4)
        return images


def watching(host, **settings):
    return Monitor(TRAIN, HELDOUT, sample=host.sample, **{"per_octave": 1, "samples": 100, **settings})


def trained(host, watched, steps=STEPS):
    for host.step in steps:
        watched.update(host.step)
    return watched


def measured(watched):
    return [verdict.step for verdict in watched.verdicts]


def test_while_copies_threaten_it_measures_twice_as_often_but_only_two_times_more():
    host = Host()
    watched = trained(host, watching(host))
    assert {v.state for v in watched.verdicts} == {"before_window"} and not any(v.should_stop for v in watched.verdicts)
    assert measured(watched) == sorted([*PLAN, 283, 566])
    assert ["copies may come soon" in v.text for v in watched.verdicts] == [False] + 8 * [True]


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        (Host(close=0.0), {}),
        (Host(better=False), {}),  # samples are good from step 200 on
        (Host(), {"most_samples": 100}),
    ],
    ids=["no sign", "good samples", "told not to"],
)
def test_otherwise_it_keeps_to_the_schedule(host, settings):
    assert measured(trained(host, watching(host, **settings))) == PLAN


@pytest.mark.parametrize(("closer", "low", "high"), [(1, 0.2, 0.25), (2, 0.0, 0.02)])
def test_twice_as_often_is_enough_for_copies_that_come_as_the_sixteenth_power_of_the_step(closer, low, high):
    """How often the first copy among 256 images is seen when more than 5 % of samples are copies already.

    The steepest onset seen in a trial run had a power of 13. The onset lies anywhere between two looks.
    """
    late = []
    for shift in np.linspace(0, 1, 200, endpoint=False):
        step = 2 ** ((np.arange(-40, 40) + shift) / (closer * PER_OCTAVE))  # in units of tau_mem
        share = -np.expm1(-0.01 * np.minimum(step**16, 1e4))
        none = (1 - share) ** 256
        unseen = np.cumprod(np.concatenate([[1.0], none[:-1]]))
        late.append(float((unseen * (1 - none))[share > 0.05].sum()))
    assert low <= np.mean(late) <= high


def test_roundtrip_a_state_goes_on_with_the_same_times():
    host = Host()
    whole = trained(host, watching(host))
    first = trained(host, watching(host), range(1, 501))
    assert first.next_step == 566
    second = watching(host)
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    trained(host, second, range(501, 6401))
    assert second.state_dict() == whole.state_dict()


def test_a_state_of_before_there_were_such_times_is_read():
    host = Host()
    old = trained(host, watching(host), range(1, 301)).state_dict()
    del old["between"]
    watched = watching(host)
    watched.load_state_dict(old)
    assert measured(trained(host, watched, range(301, 6401))) == sorted([*PLAN, 283, 566, 1131])
