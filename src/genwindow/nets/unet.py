"""U-Net: the network of the image experiments (arXiv 2505.17638, appendix A; after Ho et al., arXiv 2006.11239).

Base width W, channel multipliers 1, 2, 4, two residual blocks a level going down and three going up, self-attention
with four heads at the two coarser levels and in the middle, GroupNorm with 8 groups, SiLU, time embedding of width 4W.
For grey 32 x 32 images and W = 32 it has 4,023,233 trained parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from genwindow.errors import check, check_integer, check_number
from genwindow.nets.embedding import LabelEmbedding, sinusoidal

GROUPS = 8
HEADS = 4


@final
class UNet(nn.Module):
    """Images (B, C, H, W) and conditioning (B,) in [0, 1000] to a tensor of the images' shape.

    Height and width must be divisible by 2 for every level but the first.

    Args:
        channels: channels C of the images.
        width: base width, a multiple of 8.
        multipliers: channels of each level in units of the base width, finest level first.
        attention: whether each level has self-attention.
        blocks: residual blocks per level on the way down; one more on the way up.
        dropout: dropout rate (whole channels) in each residual block.
        classes: number of classes the network can be told; their embedding is added to that of the time.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 32,
        *,
        multipliers: Sequence[int] = (1, 2, 4),
        attention: Sequence[bool] = (False, True, True),
        blocks: int = 2,
        dropout: float = 0.0,
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_integer("channels", channels, low=1)
        check_integer("width", width, low=GROUPS)
        check(width % GROUPS == 0, f"width must be a multiple of {GROUPS}, got {width}")
        check(
            len(multipliers) == len(attention),
            f"got {len(multipliers)} multipliers and {len(attention)} attention flags",
        )
        check_integer("blocks", blocks, low=1)
        check_number("dropout", dropout, low=0, high=1, high_open=True)
        time = 4 * width
        self.width = width
        self.factor = 2 ** (len(multipliers) - 1)
        self.time = nn.Sequential(nn.Linear(width, time), nn.GELU(), nn.Linear(time, time))
        self.into = nn.Conv2d(channels, width, 3, padding=1)

        self.down = nn.ModuleList()
        skips, h = [width], width
        for level, multiplier in enumerate(multipliers):
            for _ in range(blocks):
                self.down.append(_Residual(h, multiplier * width, time, dropout, attention[level]))
                h = multiplier * width
                skips.append(h)
            if level < len(multipliers) - 1:
                self.down.append(nn.Conv2d(h, h, 3, stride=2, padding=1))
                skips.append(h)

        self.middle = nn.ModuleList(_Residual(h, h, time, dropout, attend) for attend in (True, False))

        self.up = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(multipliers))):
            for _ in range(blocks + 1):
                self.up.append(_Residual(h + skips.pop(), multiplier * width, time, dropout, attention[level]))
                h = multiplier * width
            if level > 0:
                self.up.append(nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(h, h, 3, padding=1)))

        self.out = nn.Sequential(nn.GroupNorm(GROUPS, h), nn.SiLU(), nn.Conv2d(h, channels, 3, padding=1))
        self.label = LabelEmbedding(classes, time) if classes else None

    def forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, C, H, W) output for noisy images x (B, C, H, W) of classes `label` (B,), -1 or None where not told."""
        check(
            x.ndim == 4 and x.shape[2] % self.factor == 0 and x.shape[3] % self.factor == 0,
            f"images must be (B, C, H, W) with H and W divisible by {self.factor}, got {tuple(x.shape)}",
        )
        check(self.label is not None or label is None, "this network was built without classes and takes no label")
        time = self.time(sinusoidal(conditioning, self.width))
        if self.label is not None:
            time = time + self.label(label, len(x))
        time = nn.functional.silu(time)
        h = self.into(x)
        skips = [h]
        for layer in self.down:
            h = layer(h, time) if isinstance(layer, _Residual) else layer(h)
            skips.append(h)
        for layer in self.middle:
            h = layer(h, time)
        for layer in self.up:
            h = layer(torch.cat([h, skips.pop()], dim=1), time) if isinstance(layer, _Residual) else layer(h)
        return self.out(h)


class _Residual(nn.Module):
    """Two normalised convolutions around an added time embedding, a shortcut, and self-attention where asked."""

    def __init__(self, into: int, out: int, time: int, dropout: float, attend: bool) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(GROUPS, into), nn.SiLU(), nn.Conv2d(into, out, 3, padding=1))
        self.time = nn.Linear(time, out)
        self.second = nn.Sequential(
            nn.GroupNorm(GROUPS, out), nn.SiLU(), nn.Dropout2d(dropout), nn.Conv2d(out, out, 3, padding=1)
        )
        self.shortcut = nn.Conv2d(into, out, 1) if into != out else nn.Identity()
        self.attention = SelfAttention(out) if attend else nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        h = self.first(x) + self.time(time)[:, :, None, None]
        return self.attention(self.second(h) + self.shortcut(x))


@final
class SelfAttention(nn.Module):
    """Multi-head self-attention over the pixels of (B, C, H, W), normalised first and added to its input.

    Has the parameters of `nn.MultiheadAttention(C, 4)` and computes the same, without the attention weights that the
    default call of that module works out and throws away.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, channels)
        self.into = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same shape."""
        b, c, height, width = x.shape
        pixels = self.norm(x).flatten(2).transpose(1, 2)
        q, k, v = self.into(pixels).view(b, height * width, 3, HEADS, c // HEADS).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        mixed = self.out(mixed.transpose(1, 2).reshape(b, height * width, c))
        return x + mixed.transpose(1, 2).reshape(b, c, height, width)
