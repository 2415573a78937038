"""Networks: the U-Net for images and the residual MLP for vectors and small images."""

from torch import nn

from genwindow.nets.mlp import ResidualMLP
from genwindow.nets.unet import SelfAttention, UNet


def count_parameters(network: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


__all__ = ["ResidualMLP", "SelfAttention", "UNet", "count_parameters"]
