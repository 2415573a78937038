import math

import pytest

from genwindow.errors import GenwindowError, check_choice, check_integer, check_number, raise_all


def test_errors_are_value_errors_in_one_line():
    with pytest.raises(ValueError, match="^here: one; two$"):
        raise_all("here", ["one", "two"])
    raise_all("here", [])


@pytest.mark.parametrize("value", [math.nan, math.inf, "x", None, 0, -1, 2])
def test_rejects_numbers_outside(value):
    with pytest.raises(GenwindowError, match=r"p must be a number in \(0, 1\], got"):
        check_number("p", value, low=0, high=1, low_open=True)


@pytest.mark.parametrize("value", [1.0, True, "3", 0, 9])
def test_rejects_integers_outside(value):
    with pytest.raises(GenwindowError, match="k must be a whole number of at least 1 and at most 8, got"):
        check_integer("k", value, low=1, high=8)


def test_accepts_the_ends():
    assert check_number("p", 1, low=0, high=1) == 1.0
    assert check_integer("k", 8, low=1, high=8) == 8
    assert check_choice("c", "a", ("a", "b")) == "a"


def test_rejects_choices():
    with pytest.raises(GenwindowError, match="c must be one of a, b; got 'z'"):
        check_choice("c", "z", ("a", "b"))
