"""How a mode relaxes, against the recursions step by step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwindow.errors import GenwindowError
from genwindow.theory import GradientDescent, GradientFlow


def stepped(rate, step, momentum, steps):
    """x_k - 1 by the recursion itself."""
    x = before = np.ones_like(rate)
    for _ in range(steps):
        x, before = x - step * rate * x + momentum * (x - before), x
    return x - 1


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.floats(0, 0.99), st.floats(1e-6, 1), st.integers(0, 300),
    st.lists(st.floats(1e-6, 0.999), min_size=1, max_size=5),
)  # fmt: skip
def test_agrees_with_the_recursion(momentum, step, steps, shares):
    rule = GradientDescent(step, momentum)
    rate = np.array(shares) * rule.limit
    found = rule.remaining(rate, np.array([steps * step]))[0]
    np.testing.assert_allclose(found, stepped(rate, step, momentum, steps), atol=1e-9)


@pytest.mark.parametrize("momentum", [0.25, 0.9])
def test_agrees_with_the_recursion_where_two_roots_meet(momentum):
    """kick = (1 - sqrt(m))^2 makes the roots equal; beside it they nearly are."""
    kick = (1 - np.sqrt(momentum)) ** 2 * np.array([1 - 1e-9, 1, 1 + 1e-12, 1 + 1e-6])
    for steps in (0, 1, 2, 50):
        found = GradientDescent(1.0, momentum).remaining(kick, np.array([float(steps)]))[0]
        np.testing.assert_allclose(found, stepped(kick, 1.0, momentum, steps), atol=1e-8)


def test_closed_form_of_plain_steps_where_one_step_learns_all():
    rate, steps = np.array([1.0, 0.5, 1.5, 2.0]), np.array([0.0, 1.0, 2.0, 3.0])
    found = GradientDescent(1.0).remaining(rate, steps)
    np.testing.assert_allclose(found, (1 - rate) ** steps[:, None] - 1, atol=1e-14)
    np.testing.assert_array_equal(found[:, 0], [0, -1, -1, -1])
    np.testing.assert_array_equal(GradientDescent(1.0).remaining(rate + 0j, steps)[:, 0], [0, -1, -1, -1])


def test_limit_small_steps_are_gradient_flow():
    rate, tau = np.array([0.1, 1.0]), np.array([0.5, 3.0])
    flow = GradientFlow().remaining(rate, tau)
    errors = [np.abs(GradientDescent(s).remaining(rate, tau) - flow).max() for s in (0.1, 0.05, 0.025)]
    np.testing.assert_allclose([errors[0] / errors[1], errors[1] / errors[2]], 2, rtol=0.1)


def test_limit_of_no_and_of_all_time():
    for rule in (GradientFlow(0.1), GradientDescent(0.1, 0.5, 0.1)):
        h = rule.response(np.array([0.5, 2.0]), np.array([0.0, np.inf]), 1.0)
        np.testing.assert_allclose(h, [[0, 0], [-1 / 0.6, -1 / 2.1]])


def test_decays_is_where_modes_stay_bounded():
    generator = np.random.default_rng(0)
    rate = generator.uniform(0, 5, 200) + 1j * generator.uniform(-2, 2, 200)
    for momentum in (0.0, 0.5, 0.9):
        rule = GradientDescent(1.0, momentum)
        size = np.abs(1 + rule.remaining(rate, np.array([2000.0]))[0])
        bounded = np.isfinite(size) & (size < 1e3)
        assert (bounded == rule.decays(rate)).mean() > 0.98


def test_times_are_whole_steps():
    assert GradientDescent(0.5).times(np.array([0.1, 0.6, 0.7, 2.2])).tolist() == [0.0, 0.5, 2.0]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: GradientDescent(0.0), "step must be"),
        (lambda: GradientDescent(1.0, 1.0), "momentum must be"),
        (lambda: GradientFlow(-1.0), "ridge must be"),
        (lambda: GradientDescent(1.0).check_stable(3.0), "step must be below 0.6667"),
    ],
)
def test_rejects_bad_input(make, match):
    with pytest.raises(GenwindowError, match=match):
        make()
