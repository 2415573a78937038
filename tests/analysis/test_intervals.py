import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from genwindow.analysis import binomial_estimate, binomial_interval
from genwindow.errors import GenwindowError


@pytest.mark.parametrize(("trials", "bound"), [(10, 0.3085), (10_000, 3.6882e-4)])
def test_closed_form_no_success_is_not_a_point(trials, bound):
    low, high = binomial_interval(0, trials)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / trials), rel=1e-12)
    assert high == pytest.approx(bound, rel=1e-4)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_agrees_with_scipy(counts, confidence):
    k, n = counts
    wanted = binomtest(k, n).proportion_ci(confidence, method="exact")
    # scipy finds its ends by bisection to 2e-12
    np.testing.assert_allclose(binomial_interval(k, n, confidence), (wanted.low, wanted.high), rtol=1e-9, atol=1e-11)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_closed_form_mirror_and_order(counts):
    k, n = counts
    low, high = binomial_interval(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert high - low > 0
    np.testing.assert_allclose(binomial_interval(n - k, n), (1 - high, 1 - low), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.003, 0.2, 0.5, 1.0])
def test_closed_form_coverage_is_at_least_the_confidence(share):
    n = 60
    k = np.arange(n + 1)
    low, high = binomial_interval(k, n, 0.9)
    covered = binom.pmf(k, n, share)[(low <= share) & (share <= high)].sum()
    assert covered >= 0.9 - 1e-12


def test_roundtrip_shapes_broadcast():
    low, high = binomial_interval(np.array([[0], [3]]), np.array([10, 20, 30]))
    assert low.shape == high.shape == (2, 3)
    assert (low[1, 2], high[1, 2]) == tuple(map(float, binomial_interval(3, 30)))


def test_closed_form_estimate_says_what_was_counted():
    found = binomial_estimate(3, 12, method="ratio", what="copies")
    assert (found.value, found.status, found.method) == (0.25, "found", "ratio")
    assert (found.low, found.high) == tuple(map(float, binomial_interval(3, 12)))
    assert found.text == "3 copies in 12: a share of 0.25, 95 % interval [0.0549, 0.572]"


@pytest.mark.parametrize(("k", "n"), [(-1, 3), (4, 3), (0, 0), (1.5, 3), (np.nan, 3), (1, np.inf), ("x", 3)])
def test_rejects_counts_that_are_none(k, n):
    with pytest.raises(GenwindowError, match="successes"):
        binomial_interval(k, n)


@pytest.mark.parametrize("confidence", [0, 1, np.nan, "high"])
def test_rejects_confidence_outside_the_open_interval(confidence):
    with pytest.raises(GenwindowError, match=r"confidence must be a number in \(0, 1\)"):
        binomial_interval(1, 3, confidence)
