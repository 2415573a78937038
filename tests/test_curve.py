import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genwindow import Curve, Estimate, GenwindowError
from genwindow.curve import per_cent, short

FINITE = st.floats(-1e12, 1e12)


@given(st.lists(st.tuples(FINITE, st.floats(0, 1e6), st.floats(0, 1e6)), max_size=6))
def test_roundtrip_curve_through_json(rows):
    value = np.array([r[0] for r in rows])
    curve = Curve(
        "f_mem",
        np.arange(1, len(rows) + 1),
        value,
        low=value - [r[1] for r in rows],
        high=value + [r[2] for r in rows],
        step=np.arange(len(rows)),
        samples=np.arange(len(rows)) * 32,
        unit="share",
        t=50.0,
    )
    assert Curve.from_json(json.loads(json.dumps(curve.to_json(), allow_nan=False))) == curve


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(2.0, 1.0, 3.0, "found", "threshold", "a"),
        Estimate(2.0, None, None, "found", "threshold"),
        Estimate(2.0, 1.0, None, "found", "threshold"),
        Estimate(None, 8.0, None, "not_reached", "threshold"),
        Estimate(None, None, 8.0, "below_range", "threshold"),
        Estimate(None, None, None, "ill_posed", "threshold", "no data"),
    ],
)
def test_roundtrip_estimate_through_json(estimate):
    assert Estimate.from_json(json.loads(json.dumps(estimate.to_json(), allow_nan=False))) == estimate


def test_curve_owns_its_numbers():
    value = np.ones(2)
    curve = Curve("f_mem", [1, 2], value)
    value[0] = 7
    assert curve.value[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        curve.value[0] = 7
    with pytest.raises(AttributeError):
        curve.name = "other"


def test_curves_differ_in_any_field():
    one = Curve("a", [1, 2], [1, 2])
    assert one != Curve("a", [1, 2], [1, 3])
    assert one != Curve("a", [1, 2], [1, 2], t=1.0)
    assert one == Curve("a", [1.0, 2.0], np.array([1, 2]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(tau=[1, 1], value=[0, 0]), "strictly increasing"),
        (dict(tau=[-1, 1], value=[0, 0]), "must not be negative"),
        (dict(tau=[1, 2], value=[0]), "value has 1 entries, tau has 2"),
        (dict(tau=[1, 2], value=[0, math.nan]), "value must be finite"),
        (dict(tau=[1, 2], value=[0, 0], low=[0, 0]), "both low and high"),
        (dict(tau=[1, 2], value=[0, 0], low=[1, 0], high=[1, 0]), "low <= value <= high"),
        (dict(tau=[[1, 2]], value=[0, 0]), "one-dimensional"),
        (dict(tau=[1, 2], value=[0, 0], step=[1.5, 2]), "whole numbers"),
    ],
)
def test_rejects_bad_curves(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        Curve("f_mem", **arguments)


def test_rejects_curve_without_name():
    with pytest.raises(GenwindowError, match="name must not be empty"):
        Curve("", [1], [1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1.0, 2.0, 3.0, "found", "m"), "low <= value <= high"),
        ((None, 1.0, 2.0, "found", "m"), "does not go with"),
        ((1.0, 1.0, 2.0, "not_reached", "m"), "does not go with"),
        ((None, None, None, "not_reached", "m"), "lower bound"),
        ((None, None, None, "below_range", "m"), "needs its bound"),
        ((math.nan, None, None, "found", "m"), "finite or None"),
        ((1.0, None, None, "guessed", "m"), "status must be one of"),
    ],
)
def test_rejects_bad_estimates(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        Estimate(*arguments)


def test_rejects_unknown_and_missing_json_keys():
    with pytest.raises(GenwindowError, match="value is missing; unknown key 'vlaue'|value is missing"):
        Curve.from_json({"name": "a", "tau": [], "vlaue": []})
    with pytest.raises(GenwindowError, match="unknown key 'x'"):
        Curve.from_json({"name": "a", "tau": [], "value": [], "x": 1})
    with pytest.raises(GenwindowError, match="method is missing"):
        Estimate.from_json({"value": 1, "low": None, "high": None, "status": "found"})


def test_closed_form_short_numbers():
    assert [short(x) for x in (None, 0, 0.1234, 999, 999.7, 12345, 2e6, -1500)] == [
        "inf", "0", "0.123", "999", "1k", "12.3k", "2M", "-1.5k",
    ]  # fmt: skip


def test_estimates_read_well():
    assert str(Estimate(2100.0, 1900.0, 2400.0, "found", "m")) == "2.1k [1.9k, 2.4k]"
    assert str(Estimate(2100.0, 1900.0, None, "found", "m")) == "2.1k [1.9k, inf]"
    assert str(Estimate(None, 8000.0, None, "not_reached", "m")) == "> 8k"
    assert str(Estimate(None, None, 100.0, "below_range", "m")) == "< 100"
    assert str(Estimate(None, None, None, "ill_posed", "m")) == "-"


def test_shares_are_never_written_as_powers_of_ten():
    assert [per_cent(share) for share in (1.0, 0.998, 0.0476, 0.00052, 0.0)] == ["100", "100", "4.8", "0.052", "0"]
