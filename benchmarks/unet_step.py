"""Training step of the U-Net (32 x 32 grey, W = 32, batch 32) against the same network with nn.MultiheadAttention.

The default call of `nn.MultiheadAttention` computes the attention weights and throws them away. Both networks share
their weights and see the same batch; steps alternate so that a drifting machine speed touches both alike. The bar is a
median ratio of at least 1.2 and losses equal to 1e-5. Exit code 1 when a bar is missed.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time

import torch
from torch import Tensor, nn

from genwindow.diffusion import NetworkDenoiser, named_schedule, training_loss
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import SelfAttention, UNet
from genwindow.train import build_optimizer

PAIRS = 12


class DefaultAttention(nn.Module):
    """The same attention through the default call of `nn.MultiheadAttention`."""

    def __init__(self, ours: SelfAttention) -> None:
        super().__init__()
        channels = ours.out.in_features
        self.norm = copy.deepcopy(ours.norm)
        self.attention = nn.MultiheadAttention(channels, 4, batch_first=True)
        with torch.no_grad():
            self.attention.in_proj_weight.copy_(ours.into.weight)
            self.attention.in_proj_bias.copy_(ours.into.bias)
            self.attention.out_proj.weight.copy_(ours.out.weight)
            self.attention.out_proj.bias.copy_(ours.out.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        pixels = self.norm(x).flatten(2).transpose(1, 2)
        mixed, _ = self.attention(pixels, pixels, pixels)
        return x + mixed.transpose(1, 2).reshape(x.shape)


def with_default_attention(network: UNet) -> UNet:
    """A copy of `network` with every attention replaced."""
    other = copy.deepcopy(network)
    for module in list(other.modules()):
        for name, child in module.named_children():
            if isinstance(child, SelfAttention):
                setattr(module, name, DefaultAttention(child))
    return other


def main() -> int:
    torch.manual_seed(0)
    ours = UNet(1, 32)
    networks = {"scaled_dot_product": ours, "MultiheadAttention": with_default_attention(ours)}
    denoisers = {k: NetworkDenoiser(v, named_schedule("linear")) for k, v in networks.items()}
    optimizers = {k: build_optimizer(v.parameters(), "sgd", 0.01) for k, v in denoisers.items()}
    x = torch.randn(32, 1, 32, 32, generator=keyed_generator("images"))
    times: dict[str, list[float]] = {k: [] for k in networks}
    gap = 0.0
    for step in range(PAIRS + 1):
        losses = {}
        for name, denoiser in denoisers.items():
            generator = keyed_generator("step", step)
            t = denoiser.schedule.training_times(32, generator)
            noise = torch.randn(x.shape, generator=generator)
            began = time.perf_counter()
            loss = training_loss(denoiser, x, t, noise).mean()
            optimizers[name].zero_grad()
            loss.backward()
            optimizers[name].step()
            if step:  # the first pair warms up
                times[name].append(time.perf_counter() - began)
            losses[name] = float(loss.detach())
        gap = max(gap, abs(losses["scaled_dot_product"] - losses["MultiheadAttention"]))
    ratios = [b / a for a, b in zip(times["scaled_dot_product"], times["MultiheadAttention"], strict=True)]
    for name, seconds in times.items():
        print(f"{name:20} {1e3 * statistics.median(seconds):8.1f} ms a step (median of {PAIRS})")
    ratio = statistics.median(ratios)
    print(f"ratio {ratio:.2f} (pairs from {min(ratios):.2f} to {max(ratios):.2f}), bar 1.2")
    print(f"losses differ by {gap:.1e}, bar 1e-5")
    return 0 if ratio >= 1.2 and gap <= 1e-5 else 1


if __name__ == "__main__":
    sys.exit(main())
