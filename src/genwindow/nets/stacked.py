"""Stacked networks: several residual MLPs of one architecture computed as one, each on its own batch.

The matrix products of all networks are one batched product, and what a small network costs beside its products, the
calls of many small operations, is paid once. Forward and derivative are written out and work in memory that is kept
from step to step: `torch.func.vmap` over the ordinary forward gives the same numbers (the tests compare) at a lower
speed (benchmarks/together.py). On one thread of a CPU the products are NumPy's, whose BLAS is faster with small
matrices than PyTorch's batched product; with several threads they are PyTorch's, since the threads of both libraries
would be in each other's way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, final

import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

from genwindow.errors import check
from genwindow.nets.embedding import sinusoidal
from genwindow.nets.mlp import ResidualMLP

EPSILON = 1e-5
"""Added to the variance by a normalisation, as `torch.nn.LayerNorm` does."""

TABLE = "label.table.weight"


@final
class StackedMLP(nn.Module):
    """K residual MLPs as one module with one parameter (K, P): row k holds all P numbers of network k.

    The networks go on to exist: their parameters become views of that one, so whoever looks at one of them sees what
    training the stack does to it. A backward pass replaces the gradients, it does not add to them, and must follow its
    forward pass before the next one.

    Args:
        networks: of one architecture.
    """

    def __init__(self, networks: Sequence[ResidualMLP]) -> None:
        super().__init__()
        strange = [type(network).__name__ for network in networks if not isinstance(network, ResidualMLP)]
        check(not strange, f"networks must be ResidualMLP, got {', '.join(strange[:3])}")
        own = [dict(network.named_parameters()) for network in networks]
        shapes = [{name: p.shape for name, p in each.items()} for each in own]
        check(bool(own) and all(s == shapes[0] for s in shapes), "networks must be of one architecture, at least one")
        self.count, self._shapes = len(networks), shapes[0]
        self.width, self.depth = networks[0].width, len(networks[0].blocks)
        self.all = nn.Parameter(torch.stack([torch.cat([p.detach().flatten() for p in each.values()]) for each in own]))
        self._gradient = self.all.grad = torch.zeros_like(self.all)
        for each, views in zip(own, self.views(self.all.detach()), strict=True):
            for p, view in zip(each.values(), views, strict=True):
                p.data = view
        weights, gradients = self._by_name(self.all.detach()), self._by_name(self._gradient)
        self._table = (weights[TABLE], gradients[TABLE]) if TABLE in weights else None
        self._linear = {
            name.removesuffix(".weight"): _Linear(name.removesuffix(".weight"), weights, gradients)
            for name in weights
            if name.endswith(".weight") and name != TABLE and ".norm." not in name
        }
        self._norm = [_Norm(f"blocks.{i}.norm", weights, gradients) for i in range(self.depth)]
        self._room: dict[str, Tensor] = {}
        self._whole_times = sinusoidal(torch.arange(1001, dtype=self.all.dtype), self.width)

    def views(self, every: Tensor) -> list[list[Tensor]]:
        """Of numbers (K, P), one for each parameter: those of each network, shaped and ordered as its parameters."""
        parts = self._by_name(every).values()
        return [[part[k] for part in parts] for k in range(self.count)]

    def _by_name(self, every: Tensor) -> dict[str, Tensor]:
        """Views (K, ...) of numbers (K, P), one for each parameter of a network."""
        parts = every.split([shape.numel() for shape in self._shapes.values()], dim=1)
        return {name: part.unflatten(1, shape) for part, (name, shape) in zip(parts, self._shapes.items(), strict=True)}

    def forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None = None) -> Tensor:
        """(K B, ...) outputs for the batches of all networks one after the other: x (K B, ...), conditioning (K B,)."""
        check(label is None or self._table is not None, "these networks were built without classes and take no label")
        return _Pass.apply(self, x, conditioning, label, self.all)

    def run_forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None) -> Tensor:
        """The outputs, leaving in memory what `run_backward` needs."""
        time = self._embedded(conditioning).unflatten(0, (self.count, -1))
        if self._table is not None:
            table = self._table[0]
            last = table.shape[1] - 2
            known = label is None or bool(((label >= -1) & (label <= last)).all())
            check(known, f"labels must be classes 0 to {last} or -1")
            told = torch.zeros(len(x), dtype=torch.long, device=x.device) if label is None else label + 1
            network = torch.arange(self.count, device=x.device).repeat_interleave(time.shape[1])
            self._room["network"], self._room["told"] = network, told
            time += table[network, told].view_as(time)
        self._room["x"] = x.detach().flatten(1).unflatten(0, (self.count, -1))
        h = self._linear["into"].forward(self._room["x"], self._kept("h", time.shape))
        for i in range(self.depth):
            block, norm = f"blocks.{i}", self._norm[i]
            entered = torch.add(h, time, out=self._kept(f"{block}.entered", time.shape))
            before = self._linear[f"{block}.first"].forward(entered, self._kept(f"{block}.before", time.shape))
            after = torch.ops.aten.gelu.out(before, out=self._kept(f"{block}.after", time.shape))
            added = self._linear[f"{block}.second"].forward(after, self._kept("added", time.shape)).add_(h)
            normed = self._normalise(added, block)
            h = torch.addcmul(norm.shift, normed, norm.scale, out=self._kept("h", time.shape))
        output = torch.empty(self._room["x"].shape, dtype=self.all.dtype, device=x.device)
        return self._linear["out"].forward(h, output).reshape(x.shape)

    def run_backward(self, gradient: Tensor) -> None:
        """From the derivative of the loss by the outputs (K B, ...), write the gradients of all parameters."""
        room = self._room
        last = room["h"]
        d_h = self._linear["out"].backward(gradient.reshape(room["x"].shape), last, self._kept("d_h", last.shape))
        d_time = self._kept("d_time", last.shape).zero_() if self._table is not None else None
        product, other = self._kept("product", last.shape), self._kept("other", last.shape)
        for i in reversed(range(self.depth)):
            block, norm = f"blocks.{i}", self._norm[i]
            normed, rstd = room[f"{block}.normed"], room[f"{block}.rstd"]
            torch.sum(d_h, 1, keepdim=True, out=norm.d_shift)
            torch.mul(d_h, normed, out=product)
            torch.sum(product, 1, keepdim=True, out=norm.d_scale)
            along = torch.mean(product.mul_(norm.scale), 2, keepdim=True, out=self._kept("along", rstd.shape))
            mean = torch.mean(d_h.mul_(norm.scale), 2, keepdim=True, out=self._kept("mean", rstd.shape))
            d_added = torch.sub(d_h, mean, out=self._kept("d_added", d_h.shape))
            d_added.addcmul_(normed, along, value=-1).mul_(rstd)
            d_after = self._linear[f"{block}.second"].backward(d_added, room[f"{block}.after"], product)
            d_before = torch.ops.aten.gelu_backward.grad_input(d_after, room[f"{block}.before"], grad_input=other)
            d_entered = self._linear[f"{block}.first"].backward(d_before, room[f"{block}.entered"], product)
            torch.add(d_added, d_entered, out=d_h)
            if d_time is not None:
                d_time += d_entered
        self._linear["into"].backward(d_h, room["x"])
        self.all.grad = self._gradient  # zero_grad may have taken it away
        if d_time is not None and self._table is not None:
            table = self._table[1].zero_()
            table.index_put_((room["network"], room["told"]), d_time.flatten(0, 1), accumulate=True)

    def _embedded(self, conditioning: Tensor) -> Tensor:
        """(K B, W) embeddings of times (K B,); those of whole times, which discrete schedules have, are at hand."""
        whole = conditioning.long()
        known = whole.clamp(0, len(self._whole_times) - 1).to(conditioning.dtype)
        if conditioning.is_cpu and torch.equal(known, conditioning):
            return self._whole_times.index_select(0, whole)
        return sinusoidal(conditioning, self.width)

    def _normalise(self, added: Tensor, block: str) -> Tensor:
        """Rows (K, B, W) with mean 0 and variance 1."""
        normed, rows = self._kept(f"{block}.normed", added.shape), torch.Size((*added.shape[:2], 1))
        torch.sub(added, torch.mean(added, 2, keepdim=True, out=self._kept("mean", rows)), out=normed)
        rstd = torch.linalg.vector_norm(normed, dim=2, keepdim=True, out=self._kept(f"{block}.rstd", rows))
        rstd.square_().div_(self.width).add_(EPSILON).rsqrt_()
        return normed.mul_(rstd)

    def _kept(self, name: str, shape: torch.Size) -> Tensor:
        """Memory of that name and shape, the same at every step: asking the system for it anew takes long."""
        found = self._room.get(name)
        if found is None or found.shape != shape:
            found = self._room[name] = torch.empty(shape, dtype=self.all.dtype, device=self.all.device)
        return found


class _Linear:
    """A linear layer of every network: its weights and where their gradients go, as the products want them."""

    def __init__(self, name: str, weights: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        self._weight, self._d_weight = weights[f"{name}.weight"], gradients[f"{name}.weight"]
        self._turned = self._weight.transpose(1, 2)
        self._bias, self._d_bias = weights[f"{name}.bias"].unsqueeze(1), gradients[f"{name}.bias"].unsqueeze(1)

    def forward(self, h: Tensor, out: Tensor) -> Tensor:
        """(K, B, in) to (K, B, out)."""
        return _multiply(h, self._turned, out).add_(self._bias)

    def backward(self, gradient: Tensor, h: Tensor, out: Tensor | None = None) -> Tensor:
        """Write the gradients of a layer that was given h; returns that by h where there is room for it."""
        torch.sum(gradient, 1, keepdim=True, out=self._d_bias)
        _multiply(gradient.transpose(1, 2), h, self._d_weight)
        return gradient if out is None else _multiply(gradient, self._weight, out)


@cache
def _blas() -> ThreadpoolController:
    """The BLAS of NumPy, found once: looking for it takes milliseconds."""
    return ThreadpoolController().select(user_api="blas")


def _by_numpy(weights: Tensor) -> bool:
    """Whether NumPy does the products."""
    known = weights.dtype in (torch.float32, torch.float64)
    return known and weights.is_cpu and torch.get_num_threads() == 1


@contextmanager
def _numpy_at_work(weights: Tensor) -> Iterator[None]:
    """For a pass whose products are NumPy's: without threads of its own, or warnings of a network that diverges."""
    if not _by_numpy(weights):
        yield
        return
    with _blas().limit(limits=1), np.errstate(all="ignore"):
        yield


def _multiply(a: Tensor, b: Tensor, out: Tensor) -> Tensor:
    """Write the products of a (K, I, J) and b (K, J, L) into `out` (K, I, L) and return it."""
    if _by_numpy(out):
        np.matmul(a.numpy(), b.numpy(), out=out.numpy())
        return out
    return torch.bmm(a, b, out=out)


class _Norm:
    """Scale and shift of a normalisation in every network, (K, 1, W) each, and where their gradients go."""

    def __init__(self, name: str, weights: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> None:
        self.scale, self.d_scale = (of[f"{name}.weight"].unsqueeze(1) for of in (weights, gradients))
        self.shift, self.d_shift = (of[f"{name}.bias"].unsqueeze(1) for of in (weights, gradients))


class _Pass(torch.autograd.Function):
    """Ties the passes of a stack into autograd: one operation, on one parameter that stands for all of them."""

    @staticmethod
    def forward(
        ctx: Any, network: StackedMLP, x: Tensor, conditioning: Tensor, label: Tensor | None, _: Tensor
    ) -> Tensor:
        ctx.network = network
        with _numpy_at_work(network.all):
            return network.run_forward(x, conditioning, label)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:
        with _numpy_at_work(ctx.network.all):
            ctx.network.run_backward(gradients[0])
        return (None,) * 5
