from __future__ import annotations

import dataclasses

import pytest

from genwindow.curve import Estimate
from genwindow.report.window import phase, window


def found(value, low=None, high=None):
    return Estimate(value, low, high, "found", "given")


LATE = Estimate(None, 900.0, None, "not_reached", "given")
EARLY = Estimate(None, None, 100.0, "below_range", "given")
NONE = Estimate(None, None, None, "ill_posed", "given")


def with_times(run, gen, mem):
    return dataclasses.replace(run, estimates={"tau_gen": gen, "tau_mem": mem})


@pytest.mark.parametrize(
    ("gen", "mem", "state"),
    [
        (found(200), found(600), "open"),
        (found(600), found(200), "closed"),
        (found(200), LATE, "open_end"),
        (EARLY, LATE, "open_end"),
        (EARLY, found(300), "open"),
        (found(300), EARLY, "closed"),
        (LATE, found(300), "closed"),
        (EARLY, EARLY, "unknown"),
        (LATE, LATE, "unknown"),
        (NONE, found(300), "unknown"),
        (found(300), NONE, "unknown"),
    ],
)
def test_order_of_the_two_times_decides_the_state(build, gen, mem, state):
    assert window(with_times(build(), gen, mem)).state == state


def test_order_is_sure_only_when_the_intervals_are_apart(build):
    run = build()
    assert window(with_times(run, found(200, 150, 250), found(600, 300, 900))).sure
    assert window(with_times(run, found(600, 500, 700), found(200, 150, 250))).sure
    assert not window(with_times(run, found(200, 150, 350), found(600, 300, 900))).sure
    assert not window(with_times(run, found(200), found(600))).sure


def test_limit_a_run_without_estimates_has_no_window(build):
    run = dataclasses.replace(build(), estimates={})
    assert window(run).state == "unknown"
    assert phase(run, 100) == "unknown"


def test_order_of_phases_along_an_open_window(build):
    run = with_times(build(), found(200), found(600))
    assert [phase(run, tau) for tau in (100, 200, 400, 600, 9000)] == [
        "early",
        "window",
        "window",
        "copying",
        "copying",
    ]


def test_order_of_phases_along_a_closed_window(build):
    run = with_times(build(), found(600), found(200))
    assert [phase(run, tau) for tau in (100, 200, 600)] == ["early", "early_copy", "copying"]


def test_limit_a_run_that_never_surely_copies_is_in_the_window_up_to_its_bound(build):
    run = with_times(build(), found(200), LATE)
    assert [phase(run, tau) for tau in (100, 300, LATE.low, 2 * LATE.low)] == ["early", "window", "window", "unknown"]
    few = with_times(build(), found(200), Estimate(None, 0.0, None, "not_reached", "t"))  # too few samples for a bound
    assert phase(few, 1e9) == phase(few, 300) == "unknown" and window(few).state == "unknown"
    early = with_times(build(), found(200), Estimate(None, 150.0, None, "not_reached", "t"))
    assert window(early).state == "unknown" and window(with_times(build(), found(200), LATE)).state == "open_end"


def test_limit_a_time_before_the_first_measurement_is_passed_from_there_on(build):
    run = with_times(build(), EARLY, found(600))
    assert [phase(run, tau) for tau in (50, 100, 700)] == ["unknown", "window", "copying"]
