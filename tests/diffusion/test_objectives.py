import pytest
import torch

from genwindow import GenwindowError
from genwindow.data import GaussianMixture
from genwindow.diffusion import ExactDenoiser, NetworkDenoiser, named_schedule, noise_error, training_loss
from genwindow.diffusion.draws import keyed_generator


class Zero(torch.nn.Module):
    def forward(self, x, conditioning):
        return torch.zeros_like(x)


def images():
    return torch.randn(4000, 6, generator=keyed_generator("images"), dtype=torch.float64)


def test_closed_form_knowing_nothing_costs_one():
    denoiser = NetworkDenoiser(Zero(), named_schedule("linear"), "noise")
    t = torch.full((4000,), 100.0, dtype=torch.float64)
    error = noise_error(denoiser, images(), t, keyed_generator(1))
    assert error.shape == (4000,)
    assert error.mean().item() == pytest.approx(1, abs=0.03)


def test_closed_form_best_loss_of_a_gaussian():
    """For x_0 ~ N(0, 1): the best predictor of the noise leaves alpha^2 of its variance."""
    schedule = named_schedule("ou")
    denoiser = ExactDenoiser(GaussianMixture(torch.zeros(1, 6, dtype=torch.float64), 1.0), schedule)
    t = torch.full((4000,), 0.5, dtype=torch.float64)
    expected = float(schedule.alpha(t)[0] ** 2)
    assert noise_error(denoiser, images(), t, keyed_generator(1)).mean().item() == pytest.approx(expected, rel=0.03)


def test_score_and_noise_networks_have_the_same_loss():
    schedule = named_schedule("linear")
    x, t = images()[:10], torch.full((10,), 30.0, dtype=torch.float64)
    noise = torch.randn(10, 6, generator=keyed_generator(2), dtype=torch.float64)
    losses = [training_loss(NetworkDenoiser(Zero(), schedule, kind), x, t, noise) for kind in ("noise", "score")]
    assert torch.allclose(*losses)


def test_keyed_draws_depend_on_the_keys_alone():
    one = torch.randn(5, generator=keyed_generator("a", 1, 2))
    assert torch.equal(one, torch.randn(5, generator=keyed_generator("a", 1, 2)))
    assert not torch.equal(one, torch.randn(5, generator=keyed_generator("a", 12)))
    assert not torch.equal(one, torch.randn(5, generator=keyed_generator("a", 2, 1)))


@pytest.mark.parametrize(("name", "t"), [("linear", 1001.0), ("flow", -0.5), ("flow", 1.5), ("linear", float("nan"))])
def test_rejects_times_outside_the_schedule(name, t):
    x, t = images()[:4], torch.full((4,), t, dtype=torch.float64)
    for denoiser in (
        NetworkDenoiser(Zero(), named_schedule(name), "data"),
        ExactDenoiser(GaussianMixture(torch.zeros(1, 6, dtype=torch.float64), 1.0), named_schedule(name)),
    ):
        with pytest.raises(GenwindowError, match=r"t must lie in \[0, "):
            denoiser(x, t)
        with pytest.raises(GenwindowError, match=r"t must lie in \[0, "):
            noise_error(denoiser, x, t, keyed_generator(1))
