import math

import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion import OrnsteinUhlenbeck, RectifiedFlow, cosine_schedule, linear_schedule, named_schedule

NAMES = ["linear", "cosine", "ou", "flow", "interpolant"]


@pytest.mark.parametrize("name", NAMES)
def test_limit_t_zero_is_the_data(name):
    schedule = named_schedule(name)
    zero = torch.zeros(1, dtype=torch.float64)
    assert schedule.alpha(zero) == 1
    assert schedule.sigma(zero) == 0


@pytest.mark.parametrize("name", ["linear", "cosine", "ou", "interpolant"])
def test_variance_is_preserved(name):
    schedule = named_schedule(name)
    t = torch.linspace(0, schedule.t_max, 1001, dtype=torch.float64)
    assert torch.allclose(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones_like(t), rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_signal_falls_and_noise_rises(name):
    schedule = named_schedule(name)
    t = torch.linspace(0, schedule.t_max, 1001, dtype=torch.float64)
    assert (schedule.alpha(t).diff() < 0).all()
    assert (schedule.sigma(t).diff() > 0).all()
    assert schedule.sigma(t[-1:]) > 0.999


def test_closed_form_ddpm_product():
    beta = np.linspace(1e-4, 2e-2, 1000)
    alpha_bar = np.cumprod(1 - beta)
    schedule = linear_schedule()
    k = torch.arange(1, 1001, dtype=torch.float64)
    assert np.allclose(schedule.alpha(k).numpy() ** 2, alpha_bar, rtol=1e-12)
    assert np.allclose(schedule.sigma(k).numpy() ** 2, 1 - alpha_bar, rtol=1e-10)
    assert float(schedule.alpha(torch.tensor(1000.0, dtype=torch.float64)) ** 2) == pytest.approx(4.0358e-5, rel=1e-4)


def test_closed_form_cosine():
    schedule = cosine_schedule()
    f = lambda u: math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2  # noqa: E731
    for k in (1, 250, 500, 900):
        assert float(schedule.alpha(torch.tensor(float(k))) ** 2) == pytest.approx(f(k / 1000) / f(0), rel=1e-9)


@pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule()])
def test_roundtrip_index_alpha_bar_and_ou_time(schedule):
    for k in (0.0, 0.25, 1.0, 17.5, 500.0, 999.9, 1000.0):
        t = torch.tensor(k, dtype=torch.float64)
        alpha_bar = float(schedule.alpha(t) ** 2)
        assert schedule.index_of_alpha_bar(alpha_bar) == pytest.approx(k, abs=1e-9)
        ou = float(schedule.ou_time(t))
        assert ou == pytest.approx(-0.5 * math.log(alpha_bar), rel=1e-9, abs=1e-12)
        assert schedule.index_of_ou_time(ou) == pytest.approx(k, abs=1e-6)


def test_ou_time_of_ou_is_its_clock_and_of_flow_matches_signal_to_noise():
    t = torch.tensor([0.1, 1.0, 3.0], dtype=torch.float64)
    assert torch.allclose(OrnsteinUhlenbeck().ou_time(t), t, rtol=1e-12)
    flow, u = RectifiedFlow(), torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)
    ou = flow.ou_time(u)
    assert torch.allclose(torch.exp(-ou) / torch.sqrt(1 - torch.exp(-2 * ou)), (1 - u) / u)
    ends = flow.ou_time(torch.tensor([1e-10, 1.0], dtype=torch.float64))
    assert float(ends[0]) == pytest.approx(5e-21, rel=1e-6) and float(ends[1]) == math.inf


@pytest.mark.parametrize("name", ["flow", "interpolant"])
def test_rates_are_derivatives(name):
    schedule = named_schedule(name)
    t = torch.tensor([0.05, 0.3, 0.9], dtype=torch.float64, requires_grad=True)
    for value, rate in zip((schedule.alpha, schedule.sigma), schedule.rates(t.detach()), strict=True):
        (exact,) = torch.autograd.grad(value(t).sum(), t)
        assert torch.allclose(rate, exact, rtol=1e-10)


@pytest.mark.parametrize("name", ["linear", "cosine", "ou"])
def test_rates_without_a_clock_are_those_along_the_angle(name):
    schedule = named_schedule(name)
    t = torch.linspace(0, schedule.t_max, 12, dtype=torch.float64)
    angle = torch.atan2(schedule.sigma(t), schedule.alpha(t))
    for rate, exact in zip(schedule.rates(t), (-angle.sin(), angle.cos()), strict=True):
        assert torch.allclose(rate, exact, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_velocities_are_bounded_at_every_time(name):
    """A network that predicts them has a finite loss."""
    schedule = named_schedule(name)
    t = schedule.t_max * torch.tensor([1e-12, 1e-6, 0.5, 1.0], dtype=torch.float64)
    assert all((rate.abs() <= math.pi / 2 + 1e-12).all() for rate in schedule.rates(t))


@pytest.mark.parametrize("name", NAMES)
def test_training_times_stay_inside_and_cover_the_clock(name):
    schedule = named_schedule(name)
    t = schedule.training_times(20000, torch.Generator().manual_seed(0))
    assert t.min() > 0 and t.max() <= schedule.t_max
    assert t.min() < 0.002 * schedule.t_max and t.max() > 0.998 * schedule.t_max
    if schedule.discrete:
        assert (t == t.round()).all() and t.max() == schedule.t_max and t.min() == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 7, 50])
def test_sampler_grids_go_from_the_longest_time_to_exactly_zero(name, steps):
    schedule = named_schedule(name)
    grid = schedule.grid(steps)
    assert len(grid) == steps + 1
    assert grid[0] == schedule.t_max and grid[-1] == 0
    assert (grid.diff() < 0).all()


def test_rejects_bad_schedules_and_times():
    with pytest.raises(GenwindowError, match="schedule must be one of linear, cosine, ou, flow, interpolant; got 'vp'"):
        named_schedule("vp")
    with pytest.raises(GenwindowError, match="steps must be a whole number of at least 1 and at most 1000, got 1001"):
        linear_schedule().grid(1001)
    with pytest.raises(GenwindowError, match=r"t must lie in \[0, 1\] for the flow schedule, got 2"):
        RectifiedFlow().check_time(2)
    with pytest.raises(GenwindowError, match="beta must lie in"):
        linear_schedule(10, 0.0, 0.1)
    with pytest.raises(GenwindowError, match="alpha_bar must be a number"):
        linear_schedule().index_of_alpha_bar(1e-9)
