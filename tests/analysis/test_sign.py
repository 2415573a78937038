import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from genwindow import GenwindowError
from genwindow.analysis.sign import looser, probability_above


def test_closed_form_close_lies_halfway_to_one_in_the_ratio_turned_round():
    assert looser(1 / 3) == pytest.approx(1 / 2)
    for threshold in (0.1, 0.25, 0.9):
        assert 1 / looser(threshold) == pytest.approx((1 / threshold + 1) / 2)
        assert threshold < looser(threshold) < 1


@pytest.mark.parametrize("counts", [(20, 256, 11, 359), (0, 256, 0, 359), (3, 256, 0, 20), (256, 256, 350, 359)])
def test_agrees_with_the_integral_over_both_shares(counts):
    hits, total, floor_hits, floor_total = counts
    ours = beta(hits + 0.5, total - hits + 0.5)
    floor = beta(floor_hits + 0.5, floor_total - floor_hits + 0.5)
    ends = floor.ppf([1e-13, 0.1, 0.5, 0.9, 1 - 1e-13])
    found = sum(quad(lambda p: ours.sf(p) * floor.pdf(p), a, b)[0] for a, b in zip(ends[:-1], ends[1:], strict=True))
    assert probability_above(*counts) == pytest.approx(found, abs=1e-3)


def test_limit_equal_counts_tell_nothing_and_more_hits_tell_more():
    assert probability_above(5, 100, 5, 100) == pytest.approx(0.5)
    found = [probability_above(k, 256, 11, 359) for k in range(0, 257, 8)]
    assert found == sorted(found) and found[0] < 0.01 and found[-1] > 1 - 1e-9


@pytest.mark.parametrize("share", [0.0, 0.003, 0.03, 0.3])
def test_images_that_lie_as_close_as_real_ones_show_a_sign_in_about_one_look_of_twenty(share):
    rng = np.random.default_rng(0)
    counts = np.stack([rng.binomial(256, share, 3000), rng.binomial(359, share, 3000)], axis=1)
    false = np.mean([probability_above(int(a), 256, int(b), 359) > 0.95 for a, b in counts])
    assert false < 0.075  # a posterior probability keeps its promise on average over shares, not for each of them


@pytest.mark.parametrize("counts", [(3, 2, 0, 9), (0, 9, 3, 2), (-1, 9, 0, 9), (0, 0, 0, 9), (0.5, 9, 0, 9)])
def test_rejects_counts_that_are_none(counts):
    with pytest.raises(GenwindowError, match="hits must be"):
        probability_above(*counts)


def test_rejects_a_threshold_outside_0_to_1():
    with pytest.raises(GenwindowError, match="threshold must be"):
        looser(1.0)
