import numpy as np
import pytest

from genwindow import GenwindowError
from genwindow.analysis.outlook import Look
from genwindow.curve import Curve, Estimate
from genwindow.monitor import Verdict, calibrated_split
from genwindow.monitor.verdict import Evidence, judge, loss_split

STEPS = [100, 141, 200, 283, 400, 566, 800, 1131, 1600]
NOISE = Estimate(20.0, None, None, "found", "frechet", "")


def quality(settles=200.0):
    tau = np.array(STEPS, dtype=float)
    return Curve("frechet", tau, 1 + 17 * np.exp(-2.3 * tau / settles))


def evidence(copies, *, until=None, floor=(0, 400), good=None, drawn=512, **rest):
    steps = STEPS[: len(copies)] if until is None else STEPS[:until]
    curve = quality() if good is None else good
    curve = Curve("frechet", curve.tau[: len(steps)], curve.value[: len(steps)])
    counted = [Look(s, c, drawn) for s, c in zip(steps, copies, strict=True)]
    return Evidence(steps[-1], round(steps[-1] * 1.414), counted, floor, curve, NOISE, None, **rest)


def test_before_the_window_while_samples_get_better():
    found = judge(evidence([0, 0, 0]))
    assert found.state == "before_window" and not found.should_stop and "no copy among 512" in found.text


def test_in_the_window_when_samples_are_good_and_copies_are_far():
    found = judge(evidence([0] * 8))
    assert found.state == "in_window" and not found.should_stop and found.before_next < 0.1
    assert found.steps_left.low > 0 and found.tau_mem.low > 1131


def test_closing_with_the_steps_left_and_then_a_stop_before_copies_are_proven():
    near = judge(evidence([0] * 7 + [3]))
    assert near.state == "closing" and not near.should_stop and near.steps_left.value > 0
    assert "expected to begin in" in near.text
    stop = judge(evidence([0] * 6 + [1, 6]))
    assert stop.state == "closing" and stop.should_stop and stop.before_next > 0.6


def test_memorizing_when_copies_exceed_their_floor_beyond_chance():
    found = judge(evidence([0] * 6 + [4, 60]))
    assert found.state == "memorizing" and found.should_stop and "11.72%" in found.text and not found.closed
    same_as_real = judge(evidence([40] * 8, floor=(32, 400)))
    assert same_as_real.state != "memorizing" and not same_as_real.should_stop


def test_a_window_that_closes_before_it_opens_is_said_before_copies_are_many():
    slow = quality(settles=4000.0)
    soon = judge(evidence([0, 0, 2, 6], good=slow))
    assert soon.closed and soon.state == "closing" and not soon.should_stop and "looks closed" in soon.text
    assert soon.text.startswith("Copying ")
    later = judge(evidence([0, 0, 2, 6, 25, 120], good=slow))
    assert later.closed and later.state == "memorizing" and later.should_stop and "window is closed" in later.text


@pytest.mark.parametrize(
    ("why", "said"),
    [({"bar": 0.9}, "not better than a single image, repeated, yet, no copy"), ({"doubt": "Why not."}, "Why not.")],
)
def test_samples_that_cannot_be_good_are_not_in_the_window_and_end_nothing(why, said):
    """The best distance of this run is 1."""
    assert judge(evidence([0] * 8, bar=1.1)).state == "in_window"
    found = judge(evidence([0] * 8, **why))
    assert found.state == "before_window" and not found.should_stop and said in found.text
    assert not judge(evidence([0] * 6 + [1, 6], **why)).should_stop  # without `why` it stops here, see above
    copied = judge(evidence([0] * 6 + [4, 60], **why))
    assert copied.state == "memorizing" and copied.should_stop
    early = judge(evidence([0, 0, 0], bar=0.9))
    assert "still getting better" in early.text


def test_a_ratio_test_that_real_images_fail_cannot_tell():
    found = judge(evidence([500] * 5, floor=(400, 400)))
    assert found.state == "cannot_tell" and not found.should_stop


def test_nothing_to_judge_by_says_what_would_help():
    found = judge(Evidence(10, 20, [], None, Curve("frechet", np.empty(0), np.empty(0)), None, None))
    assert found.state == "cannot_tell" and "give a sampler, or a loss" in found.text


def losses(split):
    tau = np.array(STEPS[: len(split)], dtype=float)
    heldout = np.full(len(split), 0.2)
    return Curve("train_loss", tau, heldout * (1 - np.array(split)), t=50.0), Curve(
        "heldout_loss", tau, heldout, t=50.0
    )


def by_loss(split, level):
    empty = Curve("frechet", np.empty(0), np.empty(0))
    return judge(Evidence(STEPS[len(split) - 1], 2000, [], None, empty, None, losses(split), split_level=level))


def test_losses_alone_tell_nothing_without_a_level_from_pilots():
    found = by_loss([0.0, 0.1, 0.3], None)
    assert found.state == "cannot_tell" and not found.should_stop and "split_level from pilots" in found.text
    assert "30%" in found.text


def test_losses_alone_stop_at_the_level_and_are_called_weaker():
    states = [by_loss(split, 0.4) for split in ([0, 0.1], [0, 0.1, 0.3], [0, 0.1, 0.3, 0.5])]
    assert [v.state for v in states] == ["in_window", "closing", "closing"]
    assert [v.should_stop for v in states] == [False, False, True]
    assert all("weaker evidence" in v.text for v in states)


def test_the_split_counts_from_its_first_value():
    assert loss_split(*losses([0.1, 0.2, 0.35])) == pytest.approx(0.25)


def test_the_level_of_pilots_is_their_smallest_split_at_the_onset():
    began = Estimate(450.0, None, None, "found", "threshold", "")  # between the steps 400 and 566
    never = Estimate(None, 1600.0, None, "not_reached", "threshold", "")
    pilots = [(*losses([0, 0.1, 0.2, 0.3, 0.4, 0.9]), began), (*losses([0, 0.1, 0.1, 0.2, 0.25, 0.9]), began)]
    assert calibrated_split([*pilots, (*losses([0, 0.01]), never)]) == pytest.approx(0.25)
    with pytest.raises(GenwindowError, match="none of 1 pilots began to copy"):
        calibrated_split([(*losses([0, 0.01]), never)])
    at_once = Estimate(150.0, None, None, "found", "threshold", "")
    with pytest.raises(GenwindowError, match="copied before its losses had split"):
        calibrated_split([*pilots, (*losses([0, -0.01, -0.02]), at_once)])


def test_roundtrip_json():
    found = judge(evidence([0] * 7 + [3]))
    assert Verdict.from_json(found.to_json()) == found
    with pytest.raises(GenwindowError, match="no verdict"):
        Verdict.from_json({"state": "closing"})
