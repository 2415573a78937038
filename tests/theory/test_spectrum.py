"""Spectrum of U: equations, edges, density, masses; against sampled matrices and limits in closed form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import root

from genwindow.errors import GenwindowError
from genwindow.theory import Covariance, GaussianEquivalent, RandomFeatures, equations

LAWS = (Covariance.isotropic(), Covariance.atoms([0.5, 1.5]), Covariance.atoms([0.0, 0.3, 4.0], [1, 2, 1]))
models = st.builds(
    RandomFeatures,
    st.floats(math.log(0.1), math.log(100)).map(math.exp),
    st.floats(math.log(0.1), math.log(100)).map(math.exp),
    st.floats(math.log(1e-3), math.log(3)).map(math.exp),
    st.sampled_from(["tanh", "relu", "erf", "gelu", "sin"]),
    st.sampled_from(LAWS),
)


def test_three_bulks_of_the_paper_s_setting():
    """Edges and masses from theory at psi_p = 64, psi_n = 8, t = 0.01, tanh; masses 1 : 7 : 1 in 1/64."""
    model = RandomFeatures(64, 8, 0.01)
    np.testing.assert_allclose(np.array(model.bulk_masses()) * 64, [1, 7, 1], atol=1e-9)
    edges = np.array(model.support())
    np.testing.assert_allclose(edges[1], [0.0914, 0.3595], atol=2e-4)
    np.testing.assert_allclose(edges[2], [9.84, 44.7], rtol=1e-3)
    assert edges[0, 0] > 0.0019 and edges[0, 1] == pytest.approx(0.0102, abs=5e-5)
    assert model.atom.mass == pytest.approx(55 / 64) and model.atom.location == pytest.approx(0.00187, abs=1e-5)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(models)
def test_mass_sign_residual_and_edges_at_random(model):
    assert model.atom.mass + sum(model.bulk_masses()) == pytest.approx(1, abs=1e-6)
    lam = np.concatenate([np.geomspace(1e-6, 1e3, 60), np.array(model.support()).ravel()])
    assert (model.density(lam) >= 0).all()
    upper = model.stieltjes(lam + 1j * np.geomspace(1e-6, 1e2, len(lam)))
    assert upper.converged.all() and upper.residual.max() < 1e-10 and (upper.q.imag > 0).all()
    s2 = model.moments.s2
    for low, high in model.support():
        width = high - low
        inside = model.stieltjes(np.array([low + 1e-4 * width, high - 1e-4 * width]))
        assert inside.converged.all() and (inside.q.imag > 0).all()
        bounded = [high + 1e-4 * width] + ([low - 1e-4 * width] if low - 1e-4 * width > s2 else [])
        outside = model.stieltjes(np.array(bounded))
        others = [not any(a <= x <= b for a, b in model.support()) for x in bounded]
        tilt = np.abs(outside.q.imag) / np.maximum(np.abs(outside.q), 1e-300)
        assert (tilt[others] < 1e-6).all()


def test_agrees_with_the_three_equations_of_the_theorem():
    model = RandomFeatures(6, 3, 0.05, "tanh", Covariance.atoms([0.5, 1.5]))
    found, lam, w = model.moments, np.array([0.5, 1.5]), np.array([0.5, 0.5])
    signal = found.a**2 * math.exp(-0.1)
    z = np.array([0.3 + 0.2j, 2.0 + 0.05j, 0.01 + 0.01j])
    ours = model.stieltjes(z)
    for point, q, h in zip(z, ours.q, ours.h, strict=True):

        def equations(x, point=point):
            q, r, s = x[:3] + 1j * x[3:]
            samples = 1 + 2 * (signal * r + found.v2 * q)
            e = 1 + 6 * (signal * lam / samples + found.b**2) * q
            left = np.array([
                s - q * (w / e).sum(),
                r - q * (w * lam / e).sum(),
                found.s2 - point + signal * r / q / samples + found.b**2 * s / q + found.v2 / samples - 1 / q,
            ])  # fmt: skip
            return np.concatenate([left.real, left.imag])

        e = 1 + 6 * (signal * lam * h / (6 * q) + found.b**2) * q
        start = np.array([q, q * (w * lam / e).sum(), q * (w / e).sum()]) * 1.01
        solved = root(equations, np.concatenate([start.real, start.imag]), tol=1e-13)
        assert solved.success and abs(solved.x[0] + 1j * solved.x[3] - q) < 1e-9 * abs(q)


CASES = [
    (8, 3, "tanh", Covariance.isotropic()),
    (3, 8, "tanh", Covariance.isotropic()),
    (8, 3, "relu", Covariance.atoms([0.5, 1.5])),
    (3, 8, "relu", Covariance.atoms([0.5, 1.5])),
    (8, 3, "tanh", Covariance.power_law(0.7, d=200)),
    (3, 8, "relu", Covariance.power_law(0.7, d=200)),
]


@pytest.mark.parametrize(("psi_p", "psi_n", "activation", "law"), CASES)
def test_agrees_with_eigenvalues_of_sampled_matrices(psi_p, psi_n, activation, law):
    """Kolmogorov distance below 0.005 in each bulk, with twenty matrices of d = 200 drawn together.

    One matrix has 200 eigenvalues in a bulk, whose places fluctuate by about 0.01. Bulks of one or two eigenvalues
    (the largest of a power law) are compared by their count.
    """
    model = RandomFeatures(psi_p, psi_n, 0.05, activation, law)
    d, draws, generator = 200, 20, np.random.default_rng(0)
    lam = np.sort(np.concatenate([GaussianEquivalent.draw(model, d, generator).eigenvalues() for _ in range(draws)]))
    support, total = model.support(), draws * psi_p * d
    cuts = [0.0, *(math.sqrt(a[1] * b[0]) for a, b in zip(support[:-1], support[1:], strict=True)), np.inf]
    for (low, high), bulk, left, right in zip(support, model.bulks, cuts[:-1], cuts[1:], strict=True):
        here = lam[(lam >= left) & (lam < right)]
        assert abs(len(here) / total - bulk.mass) < 0.005
        theta = np.linspace(0, np.pi, 4001)
        grid = (low + high) / 2 - (high - low) / 2 * np.cos(theta)
        weight = model.density(grid) * (high - low) / 2 * np.sin(theta)
        cumulated = np.concatenate([[0], np.cumsum((weight[1:] + weight[:-1]) / 2 * np.diff(theta))]) / bulk.mass
        if bulk.mass * psi_p * d < 20:
            continue
        ours = np.interp(here, grid, cumulated)
        ranks = np.arange(1, len(here) + 1) / len(here)
        distance = max(np.abs(ours - ranks).max(), np.abs(ours - ranks + 1 / len(here)).max())
        assert distance < 0.005


def test_counts_of_eigenvalues_are_exact():
    model = RandomFeatures(64, 8, 0.01)
    lam = GaussianEquivalent.draw(model, 60, np.random.default_rng(1)).eigenvalues()
    assert [int(((lam > a * 0.8) & (lam < b * 1.2)).sum()) for a, b in model.support()] == [60, 420, 60]


def test_limit_marchenko_pastur():
    """A linear activation and n -> infinity: U = (a^2 e^(-2t) + b^2) W W^T/d, whose law is Marchenko-Pastur's."""
    model = RandomFeatures(4, 1e9, 0.3, "hermite1")
    ((low, high),) = model.support()
    np.testing.assert_allclose([low, high], [(1 - 2) ** 2, (1 + 2) ** 2], rtol=1e-6)
    assert model.atom.mass == pytest.approx(0.75) and model.atom.location == pytest.approx(0, abs=1e-12)
    lam = np.linspace(1.1, 8.9, 20)
    expected = np.sqrt((9 - lam) * (lam - 1)) / (2 * np.pi * lam * 4)
    np.testing.assert_allclose(model.density(lam), expected, rtol=1e-6)


@pytest.mark.parametrize(("psi_p", "psi_n"), [(400_000.0, 2_000.0), (2_000.0, 400_000.0)])
def test_limit_edges_of_theorem_3_2(psi_p, psi_n):
    """Slow bulk s^2 + v^2 (1 +- sqrt(psi_p/psi_n))^2; fast bulk of the population, independent of psi_n."""
    model = RandomFeatures(psi_p, psi_n, 0.01)
    found, (low, high) = model.moments, model.support()[-2]
    ratio = math.sqrt(psi_p / psi_n)
    expected = found.s2 + found.v2 * np.array([(1 - ratio) ** 2, (1 + ratio) ** 2])
    np.testing.assert_allclose([low, high], expected, rtol=0.02)
    slope = found.a**2 * math.exp(-0.02) + found.b**2
    wishart = found.s2 + found.v2 + slope * np.array([(1 - math.sqrt(psi_p)) ** 2, (1 + math.sqrt(psi_p)) ** 2])
    np.testing.assert_allclose(model.support()[-1], wishart, rtol=0.06 if psi_n < psi_p else 0.01)


def test_limit_fast_bulk_does_not_move_with_n():
    edges = [RandomFeatures(64, n, 0.01).support()[-1] for n in (1e4, 1e5, 1e6)]
    np.testing.assert_allclose(edges[1], edges[2], rtol=0.01)
    assert np.abs(np.array(edges[1]) - edges[2]).max() < np.abs(np.array(edges[0]) - edges[2]).max()


def test_density_integrates_to_the_mass_of_its_bulk():
    model = RandomFeatures(5, 2, 0.1, "relu")
    for bulk in model.bulks:
        total = quad(lambda x: float(model.density([x])[0]), bulk.low, bulk.high, limit=200)[0]
        assert total == pytest.approx(bulk.mass, rel=1e-5)


@pytest.mark.parametrize(
    "model",
    [
        RandomFeatures(3, 2, 0.1),  # psi_p = 1 + psi_n: the lower edge touches s^2
        RandomFeatures(2, 2, 0.1),  # psi_p = psi_n
        RandomFeatures(0.01, 0.01, 0.5),
        RandomFeatures(1e3, 1e3, 1e-3),
        RandomFeatures(1.0, 1e-3, 3.0, "relu"),
        RandomFeatures(8, 3, 0.05, "tanh", Covariance.marchenko_pastur(2.0)),
        RandomFeatures(8, 3, 0.05, "hermite1"),
        RandomFeatures(46.86224130787793, 0.4802559792604229, 0.14685788402220806),  # edges on the lower branch
    ],
)
def test_total_mass_at_the_edge(model):
    assert model.atom.mass + sum(model.bulk_masses()) == pytest.approx(1, abs=1e-6)


def test_rejects_bad_points():
    model = RandomFeatures(4, 2, 0.1)
    with pytest.raises(GenwindowError, match="Im z >= 0"):
        model.stieltjes([1 - 1j])
    with pytest.raises(GenwindowError, match="lam must be finite"):
        model.density([np.nan])
    with pytest.raises(GenwindowError, match="lam must be one-dimensional"):
        model.density(np.ones((2, 2)))


def test_a_point_that_failed_is_solved_whole_in_the_next_attempt(monkeypatch):
    model = RandomFeatures(psi_p=64, psi_n=8, t=0.01)
    zeta = np.linspace(0.002, 0.3, 50).astype(complex)
    direct = equations.solve(model.equations, zeta)
    monkeypatch.setattr(equations, "ATTEMPTS", ((1e-9, 1.0), (0.1, 1e-2), (0.3, 1e-6)))
    mended = equations.solve(model.equations, zeta)
    assert direct.converged.all() and mended.converged.all()
    assert not equations._descend(model.equations, zeta, 1e-9, 1.0).converged.all()  # the first attempt did fail
    np.testing.assert_allclose(mended.g, direct.g, rtol=1e-9)
    np.testing.assert_allclose(mended.h, direct.h, rtol=1e-9)
