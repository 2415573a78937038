"""The random-features score model as a network: trained by the loop, it follows the closed form."""

import math

import numpy as np
import pytest
import torch

from genwindow.diffusion import NetworkDenoiser, OrnsteinUhlenbeck
from genwindow.errors import GenwindowError
from genwindow.nets import RandomFeaturesNet, count_parameters
from genwindow.theory import FiniteModel, GradientDescent
from genwindow.train import build_optimizer, train_steps


def test_closed_form_output():
    features = torch.randn(5, 3, dtype=torch.float64)
    network = RandomFeaturesNet(features, "relu", centre=0.2)
    x = torch.randn(4, 3, dtype=torch.float64)
    assert not network(x, torch.zeros(4)).any()  # A starts at zero
    with torch.no_grad():
        network.weights.normal_()
    expected = (torch.relu(x @ features.T / math.sqrt(3)) - 0.2) @ network.weights.T / math.sqrt(5)
    torch.testing.assert_close(network(x, torch.zeros(4)), expected)
    assert count_parameters(network) == 15


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_order_training_approaches_gradient_descent_in_closed_form(activation):
    """Fresh noise at every step: the distance from the closed form shrinks with the step."""
    generator = np.random.default_rng(0)
    model = FiniteModel.draw(24, 6, 0.3, generator, activation)
    x = generator.standard_normal((20, 6))
    train, test, tau, distance = model.data_moments(x), model.gaussian_moments(np.ones(6)), 40.0, []
    for step in (1.0, 0.1):
        network = RandomFeaturesNet(torch.from_numpy(model.weights), activation, model.mean)
        denoiser = NetworkDenoiser(network, OrnsteinUhlenbeck(), "score")
        optimizer = build_optimizer([network.weights], "sgd", step * 36, momentum=0.0)
        for _ in train_steps(
            denoiser, torch.from_numpy(x), optimizer, steps=round(tau / step), batch=0, seed=0, fixed_t=0.3
        ):
            pass
        weights = network.weights.detach().numpy()
        found = model.learning_curves(train, test, [tau], dynamics=GradientDescent(step))
        distance.append(abs(model.loss(weights, train) - found.train.value[0]))
    assert found.train.value[0] < 0.9  # something was learned
    assert distance[1] < 0.01 and distance[1] < distance[0] / 2


def test_rejects_bad_input():
    with pytest.raises(GenwindowError, match="features must have the shape"):
        RandomFeaturesNet(torch.ones(3))
    with pytest.raises(GenwindowError, match="activation must be one of"):
        RandomFeaturesNet(torch.ones(3, 2), "hermite3")
