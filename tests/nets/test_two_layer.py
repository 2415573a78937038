import math

import pytest
import torch

from genwindow.errors import GenwindowError
from genwindow.nets import TwoLayerNet, count_parameters


def net(d=3, width=8, activation="relu", seed=0):
    return TwoLayerNet(d, width, torch.Generator().manual_seed(seed), activation)


def test_closed_form_starts_at_zero_and_counts():
    found = net()
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    assert found(x).abs().max() < 1e-6 and found(x).shape == (20,)
    assert count_parameters(found) == 8 * (3 + 1 + 1)


def test_closed_form_output():
    found = net(d=2, width=2)
    with torch.no_grad():
        found.hidden.copy_(torch.tensor([[1.0, 2.0], [-1.0, 0.5]]))
        found.bias.copy_(torch.tensor([0.5, 0.0]))
        found.readout.copy_(torch.tensor([2.0, 3.0]))
    # relu(1 + 2 + 0.5) = 3.5, relu(-0.5) = 0
    assert float(found(torch.ones(1, 2)).detach()) == pytest.approx(7 / math.sqrt(2))


@pytest.mark.parametrize("activation", ["relu", "tanh", "erf"])
def test_every_parameter_gets_a_gradient(activation):
    found = net(activation=activation)
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
    (found(x) - x.sum(1)).square().mean().backward()
    assert all(bool(p.grad.abs().max() > 0) for p in found.parameters())


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_agrees_with_the_jacobian_in_its_tangent_kernel(activation):
    found = net(activation=activation).double()
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    rows = [
        torch.cat([g.ravel() for g in torch.autograd.grad(found(point[None])[0], list(found.parameters()))])
        for point in x
    ]
    jacobian = torch.stack(rows)
    torch.testing.assert_close(found.tangent_kernel(x), jacobian @ jacobian.T)


def test_roundtrip_the_same_generator_gives_the_same_network():
    assert torch.equal(net().hidden, net().hidden) and not torch.equal(net().hidden, net(seed=1).hidden)


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"width": 7}, "width must be even, got 7"), ({"width": 0}, "width must be a whole number of at least 2"),
     ({"d": 0}, "d must be"), ({"activation": "step"}, "activation must be one of")],
)  # fmt: skip
def test_rejects(changed, message):
    with pytest.raises(GenwindowError, match=message):
        net(**changed)
