"""Networks: the U-Net for images, the residual MLP for vectors and small images, random features, two layers."""

from torch import nn

from genwindow.nets.mlp import ResidualMLP
from genwindow.nets.random_features import RandomFeaturesNet
from genwindow.nets.stacked import StackedMLP
from genwindow.nets.two_layer import TwoLayerNet
from genwindow.nets.unet import SelfAttention, UNet


def count_parameters(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


__all__ = ["RandomFeaturesNet", "ResidualMLP", "SelfAttention", "StackedMLP", "TwoLayerNet", "UNet", "count_parameters"]
