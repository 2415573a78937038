"""Stacked networks: several residual MLPs of one architecture computed as one, each on its own batch.

The matrix products of all networks are one batched product, and what a small network costs beside its products, the
calls of many small operations, is paid once. Forward and derivative are written out and work in memory that is kept
from step to step: `torch.func.vmap` over the ordinary forward gives the same numbers (the tests compare) at a lower
speed (benchmarks/together.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn

from genwindow.errors import check
from genwindow.nets.embedding import sinusoidal
from genwindow.nets.mlp import ResidualMLP

TABLE = "label.table.weight"


@final
class StackedMLP(nn.Module):
    """K residual MLPs as one module whose parameters have a leading axis K.

    The networks go on to exist: their parameters become slices of the stacked ones, so whoever looks at one of them
    sees what training the stack does to it. A backward pass replaces the gradients, it does not add to them, and must
    follow its forward pass before the next one.

    Args:
        networks: of one architecture.
    """

    def __init__(self, networks: Sequence[ResidualMLP]) -> None:
        super().__init__()
        own = [dict(network.named_parameters()) for network in networks]
        shapes = [{name: p.shape for name, p in each.items()} for each in own]
        check(bool(own) and all(s == shapes[0] for s in shapes), "networks must be of one architecture, at least one")
        self.count = len(networks)
        self.width, self.depth = networks[0].width, len(networks[0].blocks)
        self.stacked = nn.ParameterList(torch.stack([each[name].detach() for each in own]) for name in own[0])
        self._weights = {name: weight.detach() for name, weight in zip(own[0], self.stacked, strict=True)}
        self._gradients = {name: torch.zeros_like(weight) for name, weight in self._weights.items()}
        for name, weight in zip(own[0], self.stacked, strict=True):
            weight.grad = self._gradients[name]
            for k, each in enumerate(own):
                each[name].data = self._weights[name][k]
        self._room: dict[str, Tensor] = {}

    def forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None = None) -> Tensor:
        """(K B, ...) outputs for the batches of all networks one after the other: x (K B, ...), conditioning (K B,)."""
        check(label is None or TABLE in self._weights, "these networks were built without classes and take no label")
        return _Pass.apply(self, x, conditioning, label, self.stacked[0])

    def run_forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None) -> Tensor:
        """The outputs, leaving in memory what `run_backward` needs."""
        time = sinusoidal(conditioning, self.width).unflatten(0, (self.count, -1))
        if TABLE in self._weights:
            table = self._weights[TABLE]
            told = torch.zeros(len(x), dtype=torch.long, device=x.device) if label is None else label + 1
            first = torch.arange(self.count, device=x.device).repeat_interleave(time.shape[1]) * table.shape[1]
            self._room["rows"] = first + told
            time += table.flatten(0, 1)[self._room["rows"]].view_as(time)
        self._room["x"] = x.flatten(1).unflatten(0, (self.count, -1))
        h = self._linear("into", self._room["x"], self._kept("h0", time.shape))
        for i in range(self.depth):
            block = f"blocks.{i}"
            entered = torch.add(h, time, out=self._kept(f"{block}.entered", time.shape))
            before = self._linear(f"{block}.first", entered, self._kept(f"{block}.before", time.shape))
            after = torch.ops.aten.gelu.out(before, out=self._kept(f"{block}.after", time.shape))
            added = self._linear(f"{block}.second", after, self._kept(f"{block}.added", time.shape)).add_(h)
            normed, mean, rstd = torch.native_layer_norm(added, [self.width], None, None, 1e-5)
            self._room |= {f"{block}.normed": normed, f"{block}.mean": mean, f"{block}.rstd": rstd}
            shift, scale = (self._weights[f"{block}.norm.{kind}"].unsqueeze(1) for kind in ("bias", "weight"))
            h = torch.addcmul(shift, normed, scale, out=self._kept(f"h{i + 1}", time.shape))
        output = torch.empty(self._room["x"].shape, device=x.device)
        return self._linear("out", h, output).reshape(x.shape)

    def run_backward(self, gradient: Tensor) -> None:
        """From the derivative of the loss by the outputs (K B, ...), write the gradients of all parameters."""
        room = self._room
        last = room[f"h{self.depth}"]
        d_h = self._linear_back("out", gradient.reshape(room["x"].shape), last, self._kept("d_h", last.shape))
        d_time = self._kept("d_time", last.shape).zero_() if TABLE in self._weights else None
        product, other = self._kept("product", last.shape), self._kept("other", last.shape)
        for i in reversed(range(self.depth)):
            block = f"blocks.{i}"
            mean, rstd = room[f"{block}.mean"], room[f"{block}.rstd"]
            torch.sum(d_h, 1, out=self._gradients[f"{block}.norm.bias"])
            torch.mul(d_h, room[f"{block}.normed"], out=product)
            torch.sum(product, 1, out=self._gradients[f"{block}.norm.weight"])
            d_h.mul_(self._weights[f"{block}.norm.weight"].unsqueeze(1))
            d_added = room["d_added"] = torch.ops.aten.native_layer_norm_backward(
                d_h, room[f"{block}.added"], [self.width], mean, rstd, None, None, [True, False, False]
            )[0]
            d_after = self._linear_back(f"{block}.second", d_added, room[f"{block}.after"], product)
            d_before = torch.ops.aten.gelu_backward.grad_input(d_after, room[f"{block}.before"], grad_input=other)
            d_entered = self._linear_back(f"{block}.first", d_before, room[f"{block}.entered"], product)
            torch.add(d_added, d_entered, out=d_h)
            if d_time is not None:
                d_time += d_entered
        self._linear_back("into", d_h, room["x"])
        if d_time is not None:
            table = self._gradients[TABLE].zero_().flatten(0, 1)
            table.index_add_(0, room["rows"], d_time.flatten(0, 1))

    def _kept(self, name: str, shape: torch.Size) -> Tensor:
        """Memory of that name and shape, the same at every step: asking the system for it anew takes long."""
        found = self._room.get(name)
        if found is None or found.shape != shape:
            found = self._room[name] = torch.empty(shape, device=self.stacked[0].device)
        return found

    def _linear(self, name: str, h: Tensor, out: Tensor) -> Tensor:
        """(K, B, in) to (K, B, out) by the linear layer `name` of each network."""
        torch.bmm(h, self._weights[f"{name}.weight"].transpose(1, 2), out=out)
        return out.add_(self._weights[f"{name}.bias"].unsqueeze(1))

    def _linear_back(self, name: str, gradient: Tensor, h: Tensor, out: Tensor | None = None) -> Tensor:
        """Write the gradients of a linear layer that was given h; returns that by h where there is room for it."""
        torch.sum(gradient, 1, out=self._gradients[f"{name}.bias"])
        torch.bmm(gradient.transpose(1, 2), h, out=self._gradients[f"{name}.weight"])
        return gradient if out is None else torch.bmm(gradient, self._weights[f"{name}.weight"], out=out)


class _Pass(torch.autograd.Function):
    """Ties the passes of a stack into autograd: one operation, on one parameter that stands for all of them."""

    @staticmethod
    def forward(
        ctx: Any, network: StackedMLP, x: Tensor, conditioning: Tensor, label: Tensor | None, _: Tensor
    ) -> Tensor:
        ctx.network = network
        return network.run_forward(x, conditioning, label)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        ctx.network.run_backward(gradients[0])
        return (None,) * 5
