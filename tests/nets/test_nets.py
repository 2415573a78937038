import pytest
import torch
from torch import nn

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import ResidualMLP, SelfAttention, UNet, count_parameters
from genwindow.nets.embedding import sinusoidal


def test_the_papers_unet_has_4023233_parameters():
    assert count_parameters(UNet(1, 32)) == 4_023_233


def test_the_papers_mlp_has_102024_parameters():
    assert count_parameters(ResidualMLP((8,), 128, 3)) == 102_024


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 16), (2, 12)])
def test_unet_keeps_the_shape_of_images(channels, side):
    x = torch.randn(2, channels, side, side, generator=keyed_generator(1))
    assert UNet(channels, 8)(x, torch.tensor([0.0, 1000.0])).shape == x.shape


def test_every_parameter_gets_a_gradient():
    for network, shape in ((UNet(1, 8, dropout=0.1), (2, 1, 8, 8)), (ResidualMLP((1, 8, 8), 16, 2), (2, 1, 8, 8))):
        x = torch.randn(shape, generator=keyed_generator(1))
        network(x, torch.tensor([10.0, 500.0])).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def conditional():
    return (UNet(1, 8, classes=3), ResidualMLP((1, 8, 8), 16, 2, classes=3))


def test_every_parameter_of_a_conditional_network_gets_a_gradient():
    for network in conditional():
        x = torch.randn(4, 1, 8, 8, generator=keyed_generator(1))
        network(x, torch.full((4,), 500.0), torch.tensor([0, 1, 2, -1])).square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
        assert (network.label.table.weight.grad.abs().sum(1) > 0).all()


def test_networks_see_the_label_and_minus_one_is_no_label():
    for network in conditional():
        x = torch.randn(1, 1, 8, 8, generator=keyed_generator(1)).expand(4, -1, -1, -1)
        t = torch.full((4,), 500.0)
        told, blind = network(x, t, torch.tensor([0, 1, 2, -1])), network(x, t)
        assert torch.allclose(told[3], blind[3], atol=1e-6)
        assert all((told[i] - told[j]).abs().max() > 1e-4 for i in range(4) for j in range(i))


def test_without_classes_there_is_no_embedding_and_a_label_is_refused():
    for network in (UNet(1, 8), ResidualMLP((1, 8, 8), 16, 2)):
        assert not any("label" in name for name, _ in network.named_parameters())
        with pytest.raises(GenwindowError, match="built without classes and takes no label"):
            network(torch.zeros(1, 1, 8, 8), torch.zeros(1), torch.zeros(1, dtype=torch.long))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (torch.zeros(1, dtype=torch.long), "labels must be whole numbers, one for each of 2 images, got torch.int64"),
        (torch.zeros(2), "got torch.float32"),
        (torch.tensor([0, 3]), r"labels must be classes 0 to 2 or -1, got \[0, 3\]"),
    ],
)
def test_rejects_labels_that_name_no_class(label, message):
    for network in (UNet(1, 8, classes=3), ResidualMLP((1, 8, 8), 16, 2, classes=3)):
        with pytest.raises(GenwindowError, match=message):
            network(torch.zeros(2, 1, 8, 8), torch.zeros(2), label)
        told = torch.tensor([0, 2])
        assert torch.equal(*(network(torch.ones(2, 1, 8, 8), torch.zeros(2), as_) for as_ in (told, told.byte())))


def test_networks_see_the_diffusion_time():
    for network in (UNet(1, 8), ResidualMLP((1, 8, 8), 16, 2)):
        x = torch.randn(1, 1, 8, 8, generator=keyed_generator(1)).expand(2, -1, -1, -1)
        one, other = network(x, torch.tensor([10.0, 500.0]))
        assert (one - other).abs().max() > 1e-4


def test_agrees_with_multihead_attention():
    ours, theirs = SelfAttention(16), nn.MultiheadAttention(16, 4, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": ours.into.weight,
            "in_proj_bias": ours.into.bias,
            "out_proj.weight": ours.out.weight,
            "out_proj.bias": ours.out.bias,
        }
    )
    x = torch.randn(3, 16, 4, 4, generator=keyed_generator(1))
    pixels = ours.norm(x).flatten(2).transpose(1, 2)
    expected = x + theirs(pixels, pixels, pixels)[0].transpose(1, 2).reshape(x.shape)
    assert torch.allclose(ours(x), expected, atol=1e-5)


def test_closed_form_embedding():
    got = sinusoidal(torch.tensor([0.0, 2.0]), 4)
    assert torch.allclose(got[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    frequency = torch.tensor([1.0, 1e-4])
    assert torch.allclose(got[1], torch.cat([(2 * frequency).sin(), (2 * frequency).cos()]))


def test_rejects_bad_shapes():
    with pytest.raises(GenwindowError, match="width must be a multiple of 8, got 12"):
        UNet(1, 12)
    with pytest.raises(GenwindowError, match="divisible by 4, got"):
        UNet(1, 8)(torch.zeros(1, 1, 10, 10), torch.zeros(1))
    with pytest.raises(GenwindowError, match="width must be even, got 7"):
        ResidualMLP((8,), 7)
    with pytest.raises(GenwindowError, match="3 multipliers and 2 attention"):
        UNet(1, 8, attention=(False, True))
