import math

import pytest
import torch

from genwindow import GenwindowError
from genwindow.data import GaussianMixture
from genwindow.diffusion import NO_LABEL, ExactDenoiser, Guided, Prediction, named_schedule, sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.diffusion.samplers import default_steps

SCHEDULES = ["linear", "cosine", "ou", "flow", "interpolant"]


def mixture(d=8):
    means = torch.stack([torch.ones(d), -torch.ones(d)]).double()
    return GaussianMixture(means, 0.5)


def draw(denoiser, shape, seed=0, **settings):
    return sample(denoiser, shape, keyed_generator(seed), dtype=torch.float64, **settings)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun", "euler"])
def test_limit_the_exact_memorizing_model_returns_training_points(name, sampler):
    points = torch.randn(12, 1, 4, 4, generator=keyed_generator("points"), dtype=torch.float64)
    denoiser = ExactDenoiser(GaussianMixture.from_points(points), named_schedule(name))
    got = draw(denoiser, (40, 1, 4, 4), sampler=sampler, steps=100)
    distance = torch.cdist(got.flatten(1), points.flatten(1)).min(1).values
    assert distance.max() < 1e-6


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("sampler", "steps"), [("ddim", 200), ("ddpm", 400), ("heun", 100), ("euler", 200)])
def test_limit_the_exact_score_returns_the_mixture(name, sampler, steps):
    d, count = 4, 4000
    denoiser = ExactDenoiser(mixture(d), named_schedule(name))
    got = draw(denoiser, (count, d), sampler=sampler, steps=steps)
    standard_error = math.sqrt(1.25 / count)  # per coordinate: variance 1 + 0.25
    assert got.mean(0).abs().max() < 4.5 * standard_error
    within = got - got.mean(1, keepdim=True).sign()
    assert within.var().item() == pytest.approx(0.25, rel=0.05)
    assert (got.mean(1) > 0).double().mean().item() == pytest.approx(0.5, abs=4.5 * 0.5 / math.sqrt(count))


@pytest.mark.parametrize(("name", "steps"), [("linear", 1000), ("cosine", 1000), ("flow", 100), ("ou", 100)])
def test_a_sampler_that_is_not_told_makes_every_step_of_a_discrete_schedule_else_100(name, steps):
    denoiser, asked = ExactDenoiser(mixture(2), named_schedule(name)), []

    def counting(x, t, label=None):
        asked.append(t)
        return denoiser(x, t, label)

    counting.schedule = denoiser.schedule
    draw(counting, (1, 2))
    assert len(asked) == default_steps(denoiser.schedule) == steps


def exact_gaussian_flow(x, schedule, std):
    """Probability flow of a centred Gaussian: x shrinks with the marginal standard deviation."""
    t = torch.tensor(schedule.t_max, dtype=torch.float64)
    return x * std / torch.sqrt(schedule.alpha(t) ** 2 * std**2 + schedule.sigma(t) ** 2)


@pytest.mark.parametrize(("sampler", "order"), [("euler", 1), ("ddim", 1), ("heun", 2)])
@pytest.mark.parametrize("name", ["ou", "flow", "interpolant"])
def test_order_of_convergence(sampler, order, name):
    std = 0.7
    schedule = named_schedule(name)
    denoiser = ExactDenoiser(GaussianMixture(torch.zeros(1, 3, dtype=torch.float64), std), schedule)
    start = torch.randn(6, 3, generator=keyed_generator("start"), dtype=torch.float64)
    exact = exact_gaussian_flow(start, schedule, std)
    steps = [64, 128, 256, 512]
    errors = [(draw(denoiser, (6, 3), sampler=sampler, steps=k, start=start) - exact).abs().max().item() for k in steps]
    slopes = [math.log2(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert slopes[-1] == pytest.approx(order, abs=0.15)


@pytest.mark.parametrize("name", SCHEDULES)
def test_euler_is_ddim_without_fresh_noise(name):
    denoiser = ExactDenoiser(mixture(), named_schedule(name))
    assert torch.equal(
        draw(denoiser, (9, 8), sampler="euler", steps=20), draw(denoiser, (9, 8), sampler="ddim", steps=20)
    )


def test_closed_form_euler_on_flow_is_a_step_along_the_velocity():
    schedule = named_schedule("flow")
    denoiser = ExactDenoiser(mixture(), schedule)
    start = torch.randn(5, 8, generator=keyed_generator("start"), dtype=torch.float64)
    x = start
    for now, then in ((1.0, 0.5), (0.5, 0.0)):
        noise, data = denoiser(x, torch.full((5,), now, dtype=torch.float64))
        x = x + (then - now) * (noise - data)
    assert torch.allclose(draw(denoiser, (5, 8), sampler="euler", steps=2, start=start), x, atol=1e-12)


def test_closed_form_ddpm_step_has_the_posterior_variance():
    schedule = named_schedule("linear")

    class Silent:
        """Predicts no noise and no data, so that one step leaves fresh noise alone."""

        def __init__(self):
            self.schedule = schedule

        def __call__(self, x, t, label=None):
            return Prediction(torch.zeros_like(x), torch.zeros_like(x))

    got = draw(Silent(), (20000, 1), sampler="ddpm", steps=2)  # 1000 -> 500 adds noise, 500 -> 0 returns the data
    assert torch.equal(got, torch.zeros_like(got))
    from genwindow.diffusion.samplers import _posterior_std

    t = torch.tensor([1000.0, 999.0], dtype=torch.float64)
    (a, a1), (s, s1) = schedule.alpha(t).tolist(), schedule.sigma(t).tolist()
    beta = 1 - (a / a1) ** 2
    assert _posterior_std(a, s, a1, s1) ** 2 == pytest.approx(beta * s1**2 / s**2, rel=1e-9)


def test_the_same_generator_gives_the_same_images_and_another_gives_others():
    denoiser = ExactDenoiser(mixture(), named_schedule("ou"))
    one, same, other = (draw(denoiser, (6, 8), seed=s, sampler="ddpm", steps=30) for s in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_batches_do_not_change_deterministic_samples():
    denoiser = ExactDenoiser(mixture(), named_schedule("ou"))
    whole = draw(denoiser, (10, 8), steps=10)
    assert torch.allclose(draw(denoiser, (10, 8), steps=10, batch=3), whole, atol=1e-12)


def test_no_images_is_no_images():
    denoiser = ExactDenoiser(mixture(), named_schedule("ou"))
    assert draw(denoiser, (0, 8), steps=10).shape == (0, 8)


def test_rejects_bad_settings():
    denoiser = ExactDenoiser(mixture(), named_schedule("linear"))
    with pytest.raises(GenwindowError, match="sampler must be one of ddim, ddpm, heun, euler; got 'dpm'"):
        draw(denoiser, (2, 8), sampler="dpm")
    with pytest.raises(GenwindowError, match="eta belongs to ddim"):
        draw(denoiser, (2, 8), sampler="heun", eta=0.5)
    with pytest.raises(GenwindowError, match=r"start must have shape \(2, 8\)"):
        draw(denoiser, (2, 8), start=torch.zeros(3, 8))
    for labels in (1, 3):
        with pytest.raises(GenwindowError, match=rf"label must be one for each of 2 images, got \({labels},"):
            draw(denoiser, (2, 8), label=torch.zeros(labels, dtype=torch.long))


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun", "euler"])
@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_limit_the_conditional_memorizing_model_returns_points_of_the_asked_class(name, sampler, weight):
    points = torch.randn(12, 6, generator=keyed_generator("points"), dtype=torch.float64)
    labels, asked = torch.arange(12) % 3, torch.arange(40) % 3
    denoiser = Guided(ExactDenoiser.of_images(points, named_schedule(name), labels), weight)
    got = draw(denoiser, (40, 6), sampler=sampler, steps=100, label=asked)
    nearest = torch.cdist(got, points).min(1)
    if weight == 0:
        assert nearest.values.max() < 1e-6
    assert (labels[nearest.indices] == asked).all()


def test_the_exact_denoiser_of_no_class_is_that_of_all():
    points, labels = torch.randn(12, 6, generator=keyed_generator("points")), torch.arange(12) % 3
    schedule = named_schedule("linear")
    one, all_of_them = ExactDenoiser.of_images(points, schedule, labels), ExactDenoiser.of_images(points, schedule)
    x, t = torch.randn(5, 6, generator=keyed_generator("x")), torch.full((5,), 300.0)
    label = torch.tensor([0, NO_LABEL, 2, NO_LABEL, 1])
    told, blind = one(x, t, label).data, all_of_them(x, t).data
    hidden = label == NO_LABEL
    assert torch.allclose(told[hidden], blind[hidden]) and not torch.allclose(told[~hidden], blind[~hidden])
    assert torch.equal(one(x, t).data, blind)
    with pytest.raises(GenwindowError, match="labels must be classes 0 to 2 or -1, got"):
        one(x, t, label + 1)
    assert torch.equal(one(x, t, label.tolist()).data, told)
    few = ExactDenoiser.of_images(points, schedule, labels.byte())
    assert torch.equal(few(x, t, label).data, told)
    with pytest.raises(GenwindowError, match=r"labels must be one for each of 12 images, got \(5,\)"):
        ExactDenoiser.of_images(points, schedule, labels[:5])
    with pytest.raises(GenwindowError, match=r"every class from 0 to 4; no image has \[1, 3\]"):
        ExactDenoiser.of_images(points, schedule, 2 * labels)
