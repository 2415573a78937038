"""The times of a regression, on curves whose times are known, and on a network trained for real."""

import numpy as np
import pytest

from genwindow import Curve, Estimate, GenwindowError
from genwindow.experiments.study import Case
from genwindow.experiments.supervised import SupervisedSettings, analyse, compute, linearized_error, read_times

TAU = np.geomspace(1, 1e4, 400)


def curves(n, noise=0.25):
    """Training error 1.25 -> 0.25 on time 10 and 0.25 -> 0 on time n; the test error rises on time n."""
    signal, memory = np.exp(-TAU / 10), np.exp(-TAU / n)
    return Curve("train", TAU, signal + noise * memory), Curve("test", TAU, noise + signal + 0.2 * (1 - memory))


def test_closed_form_times():
    found = read_times(*curves(1000.0), 0.25)
    assert found["tau_mem"].value == pytest.approx(1000 * np.log(2), rel=1e-3)
    # gain 1 less the little that memory costs by then: 90 % of it at exp(-tau/10) near 0.1
    assert found["tau_gen"].value == pytest.approx(10 * np.log(10), rel=0.1)
    at = TAU[curves(1000.0)[1].value.argmin()]
    best = curves(1000.0)[1].value.min()
    level = best + 0.05 * (1.25 - best)
    assert found["tau_rise"].value == pytest.approx(-1000 * np.log(1 - (level - 0.25) / 0.2), rel=0.02)
    assert found["tau_rise"].value > at


def test_limit_nothing_memorized():
    train = Curve("train", TAU, 0.3 + 0.95 * np.exp(-TAU / 10))
    found = read_times(train, Curve("test", TAU, train.value), 0.25)
    assert found["tau_mem"].status == found["tau_rise"].status == "not_reached" and found["tau_gen"].found


def test_limit_a_network_that_never_improves_has_no_rise_either():
    worse = Curve("test", TAU, 1.25 + TAU / TAU[-1])
    found = read_times(worse, worse, 0.25)
    assert found["tau_gen"].status == found["tau_rise"].status == "ill_posed"


def test_closed_form_law():
    cases = []
    for n in (64, 128, 256):
        train, test = curves(4.0 * n)  # late enough for the signal to be learned
        times = {name: e.to_json() for name, e in read_times(train, test, 0.25).items()}
        times["tau_linear"] = Estimate(n**1.5, None, None, "found", "test").to_json()
        result = {"train": train.to_json(), "test": test.to_json(), "best": float(test.value.min()), **times}
        cases.append(Case(SupervisedSettings(n), result, 1.0))
    found = analyse(cases)
    assert found.finding.summary["exponent"]["tau_mem"]["value"] == pytest.approx(1, abs=1e-3)
    assert found.finding.summary["exponent"]["tau_linear"]["value"] == pytest.approx(1.5)
    assert abs(found.finding.summary["exponent"]["tau_gen"]["value"]) < 0.2
    assert [row["points"] for row in found.rows] == ["n = 64", "n = 128", "n = 256"] and "3 of 3" in " ".join(
        found.finding.sentences
    )


def test_closed_form_error_of_a_linear_network():
    """Gradient descent, step by step, on f = J a with kernel J J^T."""
    generator = np.random.default_rng(0)
    jacobian, y = generator.standard_normal((6, 20)), generator.standard_normal(6)
    a, errors = np.zeros(20), []
    for _ in range(30):
        a -= 0.05 * 2 / 6 * jacobian.T @ (jacobian @ a - y)
        errors.append(np.mean((jacobian @ a - y) ** 2))
    found = linearized_error(jacobian @ jacobian.T, y, 0.05, np.arange(1, 31))
    np.testing.assert_allclose(found.value, errors, rtol=1e-9)


def test_limit_a_wide_network_copies_when_its_linearization_does():
    """The distance falls with the width: as one over its root, a factor of 5.7 here."""

    def away(width):
        found = [compute(SupervisedSettings(16, d=4, width=width, steps=150, seed=seed)) for seed in range(3)]
        return np.mean([abs(np.log(one["tau_mem"]["value"] / one["tau_linear"]["value"])) for one in found])

    wide = away(1024)
    assert wide < 0.05 and wide < away(32) / 4


def test_roundtrip_the_same_settings_give_the_same_answer():
    given = SupervisedSettings(16, d=4, width=32, steps=60, lr=0.2)
    one = compute(given)
    assert one == compute(given)
    assert one != compute(SupervisedSettings(16, d=4, width=32, steps=60, lr=0.2, seed=1))
    assert one["train"]["value"][0] < 1.25 * 2 and one["parameters"] == 32 * 6


def test_a_network_learns_the_function_before_the_noise():
    found = compute(SupervisedSettings(128, d=8, width=256, steps=1500, lr=0.2))
    assert found["tau_gen"]["value"] * 3 < found["tau_mem"]["low"]
    assert found["best"] < 0.7 < 1.25 and found["train"]["value"][-1] < 0.125


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"n": 0}, "n must be"), ({"noise": 0.0}, "noise must be a number in"), ({"lr": -1.0}, "lr must be")],
)
def test_rejects_settings(changed, message):
    with pytest.raises(GenwindowError, match=message):
        SupervisedSettings(**{"n": 8, **changed})


def test_rejects_divergence_and_other_times():
    with pytest.raises(GenwindowError, match="training diverged by step"):
        compute(SupervisedSettings(16, d=4, width=32, steps=200, lr=100.0))
    train, test = curves(100.0)
    with pytest.raises(GenwindowError, match="measured at the same training times"):
        read_times(train, Curve("test", TAU[1:], test.value[1:]), 0.25)
    with pytest.raises(GenwindowError, match="lr must be"):
        linearized_error(np.eye(2), np.ones(2), -0.5, [1, 2])
    assert linearized_error(np.zeros((2, 2)), np.ones(2), 0.5, [1, 2]).value.tolist() == [1, 1]
    with pytest.raises(GenwindowError, match=r"lr must be below 2, where the linearized network diverges; got 2"):
        linearized_error(np.eye(2), np.ones(2), 2.0, [1, 2])
