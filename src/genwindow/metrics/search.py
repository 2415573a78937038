"""A search: the k nearest of many rows, exact, as matrix products of blocks with a proven bound on their error.

With a common centre c, x = q - c and y = r - c, the square of a distance is |x|^2 + |y|^2 - 2 x.y, one matrix product
for all pairs of two blocks. In float32 this cancels where it matters most, next to a copy. So the product is only used
for what rounding leaves certain. Rounding errors of float32 (unit u) in a sum of w products are at most
gamma = w u / (1 - w u) times the sum of the absolute terms, in whatever order they are added (Higham, Accuracy and
Stability of Numerical Algorithms, section 3.1). The terms are |y|^2, itself summed in float64, and the products of
2 x.y, together at most |x|^2 + 2 |y|^2. So with beta a little above 2 gamma

    |q - r|^2  >=  key + (1 - beta) |x|^2,     key = (1 - beta) |y|^2 - 2 x.y  as computed.

A pair is either compared directly, by its difference in float64, or this lower bound exceeds the k-th smallest direct
distance of its query. Nothing else is ever left out, so the answer is that of comparing all pairs directly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genwindow.errors import check
from genwindow.metrics.rows import Rows

_SLICE = 1024  # terms per sum: keeps beta below 1.3e-4 for images of any size
_UNIT = 2.0**-24  # rounding unit of float32
_CENTRE_ROWS = 256
_FAR = 2.0**50  # queries this many times farther out than the reference are compared directly with every row
_MIB = 1 << 20


class _Plan(NamedTuple):
    """How much at a time.

    Attributes:
        queries: rows of the queries.
        reference: rows of the reference.
        pairs: pairs compared directly.
        listed: queries whose pairs are listed for that.
    """

    queries: int
    reference: int
    pairs: int
    listed: int


def _plan(memory: int, count: int, row: int, dim: int, k: int) -> _Plan:
    """Blocks that stay within `memory` bytes together, and no larger than speed asks for.

    Args:
        memory: bytes.
        count: number of queries.
        row: bytes of the copies made of one row: moved to the frame, doubled, and as the product wants it.
        dim: numbers in a row.
        k: how many neighbours.
    """
    per_query = row + 400 * k  # the k best and as many new ones, in the copies that sorting them makes
    per_pair = 24 * min(dim, _SLICE) + 400
    per_key = 16  # its product, the partial product of a slice, and masks
    least = 8 * max(per_query, per_pair)
    check(memory >= least, f"memory must be at least {least} bytes for k = {k} and {dim} numbers a row, got {memory}")
    quarter, eighth = memory // 4, memory // 8
    queries = min(quarter // per_query, 1024, max(count, 1))
    reference = max(1, min(min(quarter, 8 * _MIB) // row, min(quarter, 16 * _MIB) // (per_key * queries)))
    listed = max(1, min(eighth, 8 * _MIB) // (64 * reference))  # a pair, and its place in a merge
    return _Plan(queries, reference, max(1, min(eighth, 8 * _MIB) // per_pair), listed)


@contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Float32 products in float32 (no TF32, no bfloat16, no autocast, no graph); every switch is put back."""
    backends: Any = torch.backends
    new = hasattr(backends, "fp32_precision")  # since PyTorch 2.9
    matmuls = [backends.cuda.matmul, backends.mkldnn.matmul] if new else []
    with ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        stack.enter_context(torch.autocast(device.type, enabled=False))
        for matmul in matmuls:
            stack.callback(setattr, matmul, "fp32_precision", matmul.fp32_precision)
            matmul.fp32_precision = "ieee"
        if not new:
            stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
        yield


def k_nearest(
    queries: Rows, reference: Rows, k: int, memory: int, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Distances (Q, k) in float64 and indices (Q, k) of the k nearest rows, ties by index.

    Args:
        queries: Q rows.
        reference: n >= k rows of the same length.
        k: how many, at least 1.
        memory: bytes that may be in use at any time beside the arguments and the answer.
        device: where to compute; None is where the queries are.
    """
    device = queries.matrix.device if device is None else device
    device = torch.device("cpu") if device.type == "mps" else device  # MPS has no float64
    wide = torch.float32 if queries.fits_float32 and reference.fits_float32 else torch.float64
    count, dim = queries.matrix.shape
    row = dim * (12 + (8 if wide == torch.float64 else 0) + (8 if reference.matrix.device != device else 0))
    plan = _plan(memory, count, row, dim, k)
    distances = torch.empty((count, k), dtype=torch.float64, device=device)
    indices = torch.empty((count, k), dtype=torch.int64, device=device)
    with _full_precision(device):
        frame = _Frame(reference, wide, min(plan.reference, _CENTRE_ROWS), device)
        for start in range(0, count, plan.queries):
            block = slice(start, start + plan.queries)
            best = _Best(queries.matrix[block].to(device), len(reference.matrix), k)
            _scan(best, reference.matrix, frame, plan)
            distances[block], indices[block] = best.distance, best.index
    return distances, indices


class _Frame:
    """Scale and centre that both sides are moved to; the scale is a power of two, so scaling is exact."""

    def __init__(self, reference: Rows, wide: torch.dtype, few: int, device: torch.device) -> None:
        reach = 126 if wide == torch.float32 else 1000
        exponent = math.frexp(reference.largest)[1]
        self.scale = 2.0 ** max(-reach, min(reach, -exponent))
        sample = reference.matrix[:: -(-len(reference.matrix) // few)].to(device=device, dtype=torch.float64)
        self.centre = (sample * self.scale).mean(0).to(wide)  # any centre is right; the mean cancels least
        self.wide, self.device = wide, device

    def __call__(self, rows: Tensor, out: Tensor) -> Tensor:
        """Rows * scale - centre, each number rounded once to float32, in the first rows of `out`."""
        out = out[: len(rows)]
        if self.wide == torch.float32:
            return torch.add(-self.centre, rows.to(self.wide), alpha=self.scale, out=out)
        return out.copy_(torch.add(-self.centre, rows.to(self.wide), alpha=self.scale))


def _slices(dim: int) -> list[slice]:
    return [slice(i, i + _SLICE) for i in range(0, dim, _SLICE)]


def _square_norms(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()


class _Keys:
    """For many queries x: the keys |y|^2 - 2 x.y of blocks of reference rows, in float32.

    On CPUs oneDNN multiplies, where PyTorch has it: up to twice as fast as the usual product, equally exact.
    """

    def __init__(self, x: Tensor) -> None:
        parts = [(-2 * x[:, part]).contiguous() for part in _slices(x.shape[1])]
        self.packed = x.device.type == "cpu" and torch.backends.mkldnn.is_available()
        self.parts = [part.to_mkldnn() for part in parts] if self.packed else parts

    def __call__(self, y: Tensor, norms: Tensor) -> Tensor:
        """(Q, R) keys of the rows y (R, d) with these square norms (R,)."""
        pieces = _slices(y.shape[1])
        keys = self._product(self.parts[0], y[:, pieces[0]], norms)
        for x, piece in zip(self.parts[1:], pieces[1:], strict=True):
            keys += self._product(x, y[:, piece], None)
        return keys

    def _product(self, x: Tensor, y: Tensor, bias: Tensor | None) -> Tensor:
        product = torch.nn.functional.linear(x, y, bias)
        return product.to_dense() if self.packed else product


def _scan(best: _Best, reference: Tensor, frame: _Frame, plan: _Plan) -> None:
    """Take every row of the reference into account."""
    dim, k = reference.shape[1], best.distance.shape[1]
    beta = 1.01 * _UNIT * (2 * min(dim, _SLICE) + 2 * len(_slices(dim)) + 32)
    margin = (dim + 16) * 2.0**-52  # rounding of direct distances
    underflow = dim * 2.0**-90
    x = frame(best.queries, torch.empty(best.queries.shape, dtype=torch.float32, device=frame.device))
    space = torch.empty((min(plan.reference, len(reference)), dim), dtype=torch.float32, device=frame.device)
    x_norm = _square_norms(x)
    if (far := ~(x_norm < _FAR**2)).any():
        x[far] = math.nan  # NaN bounds nothing, so nothing is left out
    x_norm = (1 - beta) * x_norm
    keys_of = _Keys(x)

    def limit() -> Tensor:
        """(q, 1) keys above this cannot be among the k nearest; infinite while there are fewer than k."""
        kth = (best.distance[:, -1:] * frame.scale).square() * (1 + margin)
        rounded = (kth + underflow - x_norm[:, None]).to(torch.float32)
        return rounded.nextafter(torch.full_like(rounded, math.inf))

    for start in range(0, len(reference), plan.reference):
        rows = reference[start : start + plan.reference].to(frame.device)
        y = frame(rows, space)
        keys = keys_of(y, ((1 - beta) * _square_norms(y)).to(torch.float32))
        bound = limit()
        touched = (~(keys.amin(1, keepdim=True) > bound)).flatten().nonzero().flatten()  # NaN is never above: touched
        for part in touched.split(plan.listed):
            own = keys[part]
            close = ~(own > bound[part])
            if int(close.sum()) > 4 * (k + 1) * len(part):  # the nearest first: they lower the limit for the others
                low, column = own.topk(min(k + 1, len(rows)), dim=1, largest=False)
                candidates = ~(low > bound[part])
                best.compare(part[candidates.nonzero()[:, 0]], column[candidates], rows, start, plan.pairs)
                close = ~(own > limit()[part])
                close.scatter_(1, column, False)
            query, other = close.nonzero(as_tuple=True)
            best.compare(part[query], other, rows, start, plan.pairs)


class _Best:
    """The k nearest rows so far of each of a block of queries, by direct distance, then by index."""

    def __init__(self, queries: Tensor, none: int, k: int) -> None:
        self.queries, self.none = queries, none
        shape, device = (len(queries), k), queries.device
        self.distance = torch.full(shape, math.inf, dtype=torch.float64, device=device)
        self.index = torch.full(shape, none, dtype=torch.int64, device=device)

    def compare(self, query: Tensor, column: Tensor, rows: Tensor, start: int, pairs: int) -> None:
        """Take in the pairs (query, rows[column]), compared `pairs` at a time.

        Row 0 is number `start` of the reference. Pairs of one query must stand together.
        """
        parts = zip(query.split(pairs), column.split(pairs), strict=True)
        distance = torch.cat([_distances(self.queries, q, rows, c) for q, c in parts])
        near = (distance <= self.distance[query, -1]).nonzero().flatten()
        if len(near):
            self._merge(query[near], distance[near], column[near] + start)

    def _merge(self, query: Tensor, distance: Tensor, index: Tensor) -> None:
        k = self.distance.shape[1]
        touched, own, counts = torch.unique_consecutive(query, return_inverse=True, return_counts=True)
        place = torch.arange(len(query), device=query.device) - (counts.cumsum(0) - counts)[own]
        shape = (len(touched), k + int(counts.max()))
        distances = self.distance.new_full(shape, math.inf)
        indices = self.index.new_full(shape, self.none)
        distances[:, :k], indices[:, :k] = self.distance[touched], self.index[touched]
        distances[own, k + place], indices[own, k + place] = distance, index
        order = indices.argsort(dim=1)
        order = order.gather(1, distances.gather(1, order).argsort(dim=1, stable=True))[:, :k]
        self.distance[touched], self.index[touched] = distances.gather(1, order), indices.gather(1, order)


def _distances(queries: Tensor, q: Tensor, rows: Tensor, r: Tensor) -> Tensor:
    """(P,) float64 distances of the pairs (q, r) by their differences, which are exact next to a copy."""

    def difference(part: slice, q: Tensor, r: Tensor) -> Tensor:
        return rows[:, part].index_select(0, r).double().sub_(queries[:, part].index_select(0, q))

    def distance(q: Tensor, r: Tensor, unit: Tensor | None = None) -> Tensor:
        parts = []
        for part in _slices(rows.shape[1]):
            d = difference(part, q, r)
            parts.append(torch.linalg.vector_norm(d if unit is None else d.div_(unit[:, None]), dim=1))
        return torch.linalg.vector_norm(torch.stack(parts), dim=0)

    found = distance(q, r)
    odd = ~((found > 1e-140) & (found < 1e140))  # the squares may have left the range of float64
    if odd.any():
        q, r = q[odd], r[odd]
        unit = torch.stack([difference(part, q, r).abs_().amax(1) for part in _slices(rows.shape[1])]).amax(0)
        found[odd] = unit * distance(q, r, unit.clamp(min=5e-324))
    return found
