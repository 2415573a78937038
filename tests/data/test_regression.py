import numpy as np
import pytest

from genwindow.data import RegressionTask
from genwindow.data.regression import teacher_variance
from genwindow.errors import GenwindowError


def task(noise=0.25, d=6, units=3, seed=0):
    return RegressionTask.draw(d, units, noise, np.random.default_rng(seed))


def test_closed_form_mean_variance_and_noise():
    n = 200_000
    found = task().sample(n, np.random.default_rng(1))
    assert abs(found.clean.mean()) < 5 / np.sqrt(n)
    spread = (found.clean**2).std() / np.sqrt(n)
    assert (found.clean**2).mean() == pytest.approx(1, abs=5 * spread)
    noise = found.y - found.clean
    assert (noise**2).mean() == pytest.approx(0.25, abs=5 * 0.25 * np.sqrt(2 / n))
    assert abs((noise * found.clean).mean()) < 5 * 0.5 / np.sqrt(n)


def test_closed_form_variance_of_one_unit():
    """E erf(z s)^2 for z ~ N(0, 1) by quadrature."""
    weights, readout = np.array([[1.0, -2.0, 0.5]]), np.array([0.7])
    nodes, weight = np.polynomial.hermite_e.hermegauss(60)
    scale = np.linalg.norm(weights) / np.sqrt(3)
    from scipy.special import erf

    wanted = 0.49 * float(weight @ erf(scale * nodes) ** 2) / np.sqrt(2 * np.pi)
    assert teacher_variance(weights, readout) == pytest.approx(wanted, rel=1e-6)


def test_roundtrip_training_sets_are_nested():
    few, many = (task().sample(n, np.random.default_rng(2)) for n in (5, 50))
    for a, b in zip(few, many, strict=True):
        np.testing.assert_array_equal(a, b[:5])


def test_limit_no_noise():
    found = task(noise=0.0).sample(10, np.random.default_rng(0))
    np.testing.assert_array_equal(found.y, found.clean)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: task(noise=-1.0), "noise must be a number in"),
        (lambda: task(d=0), "d must be"),
        (lambda: task(units=0), "units must be"),
        (lambda: RegressionTask(np.ones((2, 3)), np.ones(3), 0.1), r"do not fit: \(2, 3\), \(3,\)"),
        (lambda: task().sample(0, np.random.default_rng(0)), "n must be"),
    ],
)
def test_rejects(make, message):
    with pytest.raises(GenwindowError, match=message):
        make()
