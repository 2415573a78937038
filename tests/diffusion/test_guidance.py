import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion import Guided, NetworkDenoiser, Prediction, named_schedule, sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import ResidualMLP


class TwoFaced:
    """Answers 2 with a label and 1 without."""

    schedule = named_schedule("linear")

    def __call__(self, x, t, label=None):
        value = torch.full_like(x, 1.0 if label is None else 2.0)
        return Prediction(value, -value)


X, T, LABEL = torch.zeros(3, 2), torch.full((3,), 5.0), torch.zeros(3, dtype=torch.long)


def test_weight_zero_is_the_plain_model_bit_for_bit():
    denoiser = NetworkDenoiser(ResidualMLP((2,), 16, 1, classes=2), named_schedule("linear"))
    x = torch.randn(3, 2, generator=keyed_generator(1))
    guided, plain = Guided(denoiser, 0.0)(x, T, LABEL), denoiser(x, T, LABEL)
    assert torch.equal(guided.noise, plain.noise) and torch.equal(guided.data, plain.data)
    one, other = (
        sample(model, (6, 2), keyed_generator(2), sampler="ddpm", steps=20, label=LABEL.repeat(2))
        for model in (Guided(denoiser, 0.0), denoiser)
    )
    assert torch.equal(one, other)


def test_closed_form_extrapolation():
    got = Guided(TwoFaced(), 3.0)(X, T, LABEL)
    assert torch.equal(got.noise, torch.full_like(X, 5.0))
    assert torch.equal(got.data, torch.full_like(X, -5.0))


def test_rejects_missing_label_and_negative_weight():
    with pytest.raises(GenwindowError, match="guidance needs a label"):
        Guided(TwoFaced(), 1.0)(X, T)
    with pytest.raises(GenwindowError, match="weight must be a number"):
        Guided(TwoFaced(), -1.0)
