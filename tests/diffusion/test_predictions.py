import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion import (
    ExactDenoiser,
    NetworkDenoiser,
    Prediction,
    from_prediction,
    named_schedule,
    noised,
    to_prediction,
)
from genwindow.nets import ResidualMLP

KINDS = ["noise", "data", "score", "velocity"]


def images(seed, shape=(5, 1, 4, 4)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", ["linear", "cosine", "ou", "flow", "interpolant"])
@pytest.mark.parametrize("kind", KINDS)
def test_roundtrip_every_kind_gives_back_noise_and_data(name, kind):
    schedule = named_schedule(name)
    t = torch.tensor([0.001, 0.1, 0.4, 0.7, 0.9], dtype=torch.float64) * schedule.t_max
    data, noise = images(1), images(2)
    x = noised(data, t, noise, schedule)
    output = from_prediction(Prediction(noise, data), kind, t, schedule)
    found = to_prediction(output, kind, x, t, schedule)
    assert torch.allclose(found.noise, noise, atol=1e-9)
    assert torch.allclose(found.data, data, atol=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine", "ou", "flow", "interpolant"])
@pytest.mark.parametrize("kind", KINDS)
def test_velocity_score_and_noise_of_one_model_agree(name, kind):
    schedule = named_schedule(name)
    t = torch.tensor([0.001, 0.1, 0.4, 0.7, 0.9], dtype=torch.float64) * schedule.t_max
    torch.manual_seed(0)
    denoiser = NetworkDenoiser(ResidualMLP((1, 4, 4), 16, 1, classes=2).double(), schedule, kind)
    x, label = images(3), torch.tensor([0, 1, -1, 0, 1])
    found = denoiser(x, t, label)
    for other in KINDS:
        again = to_prediction(from_prediction(found, other, t, schedule), other, x, t, schedule)
        for one, two in zip(found, again, strict=True):
            assert (one - two).abs().max() < 1e-6 * max(1.0, one.abs().max().item())


@pytest.mark.parametrize("name", ["flow", "interpolant"])
def test_closed_form_velocity_of_the_exact_field_is_the_mean_velocity_of_the_points(name):
    schedule = named_schedule(name)
    points, x = images(1, (6, 3)), images(2, (4, 3))
    t = torch.full((4,), 0.4, dtype=torch.float64)
    a, s = schedule.alpha(t[0]), schedule.sigma(t[0])
    noise = (x[:, None] - a * points) / s  # the noise that would lead from each point to x
    share = (-0.5 * noise.square().sum(2)).softmax(1)
    da, ds = schedule.rates(t[0])
    expected = (share[:, :, None] * (da * points + ds * noise)).sum(1)
    found = from_prediction(ExactDenoiser.of_images(points, schedule)(x, t), "velocity", t, schedule)
    assert torch.allclose(found, expected, atol=1e-10)


def test_closed_form_flow_velocity_is_noise_minus_data():
    schedule = named_schedule("flow")
    data, noise = images(1), images(2)
    t = torch.full((5,), 0.3, dtype=torch.float64)
    assert torch.equal(from_prediction(Prediction(noise, data), "velocity", t, schedule), noise - data)


def test_closed_form_ddpm_velocity_is_salimans_and_ho():
    schedule = named_schedule("linear")
    data, noise = images(1), images(2)
    t = torch.full((5,), 300.0, dtype=torch.float64)
    a, s = schedule.alpha(t)[0], schedule.sigma(t)[0]
    assert torch.allclose(from_prediction(Prediction(noise, data), "velocity", t, schedule), a * noise - s * data)


def test_limit_velocity_works_at_the_pure_noise_end_of_flow():
    schedule = named_schedule("flow")
    data, noise = images(1), images(2)
    t = torch.ones(5, dtype=torch.float64)
    x = noised(data, t, noise, schedule)
    found = to_prediction(noise - data, "velocity", x, t, schedule)
    assert torch.allclose(found.data, data) and torch.allclose(found.noise, noise)


def test_rejects_noise_prediction_where_nothing_is_left_of_the_data():
    x = images(1)
    with pytest.raises(GenwindowError, match="a noise prediction needs alpha"):
        to_prediction(x, "noise", x, torch.ones(5, dtype=torch.float64), named_schedule("flow"))


def test_rejects_unknown_kind_and_wrong_noise_shape():
    x, t = images(1), torch.full((5,), 0.5, dtype=torch.float64)
    with pytest.raises(GenwindowError, match="prediction must be one of noise, data, score, velocity; got 'eps'"):
        to_prediction(x, "eps", x, t, named_schedule("flow"))
    with pytest.raises(GenwindowError, match="noise must have the shape of x"):
        noised(x, t, x[:2], named_schedule("flow"))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_rejects_whole_numbers_that_would_hide_the_noise(dtype):
    x, t = torch.ones(5, 3, dtype=dtype), torch.full((5,), 0.5, dtype=torch.float64)
    with pytest.raises(GenwindowError, match="images must be floating-point numbers, got torch"):
        noised(x, t, torch.randn(5, 3), named_schedule("flow"))
