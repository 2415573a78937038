r"""A mixture of isotropic Gaussians whose density, score and posterior are exact at every diffusion time.

With P_0 = sum_k w_k N(m_k, s_k^2 I) and x_t = alpha x_0 + sigma xi, the law of x_t is again a mixture,

    P_t = sum_k w_k N(alpha m_k, v_k I),    v_k = alpha^2 s_k^2 + sigma^2,
    p(k | x) = softmax_k( log w_k - d/2 log v_k - |x - alpha m_k|^2 / (2 v_k) ),
    score(x) = sum_k p(k | x) (alpha m_k - x) / v_k,
    E[x_0 | x] = sum_k p(k | x) (sigma^2 m_k + alpha s_k^2 x) / v_k.

With the training points as means and s = 0 this is the empirical score: the exact memorizing model (Bonnaire et al.,
arXiv 2505.17638, section 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, final

import torch
from torch import Tensor

from genwindow.errors import check, check_integer, check_number

_BLOCK = 1 << 22  # entries of the (B, K) tables held at a time
_TINY = torch.finfo(torch.float64).tiny
_NO_SIGNAL = 1e-100  # signal levels below this are 0: every component is equally far


class _Terms(NamedTuple):
    """What all results are made of, for a block of queries."""

    x: Tensor  # (B, d) float64
    alpha: Tensor  # (B, 1)
    sigma: Tensor  # (B, 1)
    variance: Tensor  # (B, K), or (B, 1) when all components have the same width
    logits: Tensor  # (B, K) log of w_k N(x; alpha m_k, v_k), less `shared`
    shared: Tensor | float  # (B, 1) part of the log density set aside from the logits


@final
class GaussianMixture:
    """Exact laws of x_t = alpha x_0 + sigma xi for x_0 from isotropic Gaussians.

    All methods compute in float64 on the device of `means` and answer in the dtype and on the device of `x`. Distances
    are sums of squared differences, never an expanded product, so exact copies and near copies are told apart. Queries
    are worked through in blocks, so memory does not grow with B times K.

    Attributes:
        means: (K, ...) float64.
        std: (K,) float64, not negative.
        weights: (K,) float64, positive, with sum 1.
    """

    def __init__(self, means: Tensor, std: float | Tensor, weights: Tensor | None = None) -> None:
        """Build the mixture.

        Args:
            means: (K, ...) centres; points may have any shape, for example (C, H, W).
            std: standard deviation of every coordinate, one number or (K,); 0 makes the component a point.
            weights: (K,) positive, any scale; None means equal weights.
        """
        means = torch.as_tensor(means)
        check(means.is_floating_point(), f"means must be floating-point numbers, got {means.dtype}")
        check(means.ndim >= 2 and means.numel() > 0, f"means must have the shape (K, ...), got {tuple(means.shape)}")
        check(bool(torch.isfinite(means).all()), "means must be finite")
        device = torch.device("cpu") if means.device.type == "mps" else means.device  # no float64 there
        count = len(means)
        self.dtype = means.dtype
        self.means = means.detach().to(device=device, dtype=torch.float64)
        self.std = _per_component("std", std, count, device)
        self.weights = _per_component("weights", 1.0 if weights is None else weights, count, device)
        check(bool((self.std >= 0).all()), f"std must not be negative, got {float(self.std.min()):g}")
        check(bool((self.weights > 0).all()), f"weights must be positive, got {float(self.weights.min()):g}")
        self.weights = self.weights / self.weights.sum()
        self._flat = self.means.reshape(count, -1)
        common = bool((self.std == self.std[0]).all())
        self._width = (self.std[:1] if common else self.std).square()[None]  # s_k^2, (1, 1) or (1, K)

    @classmethod
    def from_points(cls, points: Tensor) -> GaussianMixture:
        """The empirical law of `points` (n, ...), whose score is the exact memorizing model."""
        return cls(points, 0.0)

    @classmethod
    def two_clusters(cls, d: int, mean: float = 1.0, std: float = 1.0) -> GaussianMixture:
        """Two equal clusters at +mean (1, ..., 1) and -mean (1, ..., 1) in d dimensions.

        With the default mean 1 and standard deviation 1 these are the data of arXiv 2505.17638, appendix B.
        """
        check_integer("d", d, low=1)
        check_number("mean", mean)
        check_number("std", std, low=0)
        one = torch.full((1, d), float(mean), dtype=torch.float64)
        return cls(torch.cat([one, -one]), std)

    def __len__(self) -> int:
        return len(self.means)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one point."""
        return tuple(self.means.shape[1:])

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n points of P_0.

        Returns:
            points (n, ...) in the dtype of the means given, and the component (n,) each came from.
        """
        check_integer("n", n, low=1)
        device = generator.device
        component = torch.multinomial(self.weights.to(device), n, replacement=True, generator=generator)
        noise = torch.randn(n, self._flat.shape[1], generator=generator, device=device, dtype=torch.float64)
        component = component.to(self.means.device)
        points = self._flat[component] + self.std[component, None] * noise.to(self.means.device)
        return points.reshape(n, *self.shape).to(self.dtype), component

    def log_density(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """Logarithm of P_t(x), shape (B,).

        Args:
            x: (B, ...) points in the shape of the means.
            alpha: signal level, one number or (B,).
            sigma: noise level, one number or (B,).

        Raises:
            GenwindowError: where P_t has no density, at sigma = 0 with a component of width 0.
        """

        def result(terms: _Terms) -> Tensor:
            return (torch.logsumexp(terms.logits, dim=1, keepdim=True) + terms.shared)[:, 0]

        return self._blocks(result, x, alpha, sigma, needs_density=True)

    def score(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """The gradient of log P_t at x, shape (B, ...). Arguments and errors as in `log_density`."""

        def result(terms: _Terms) -> Tensor:
            pull = terms.logits.softmax(dim=1) / terms.variance
            return terms.alpha * (pull @ self._flat) - pull.sum(dim=1, keepdim=True) * terms.x

        return self._blocks(result, x, alpha, sigma, needs_density=True).reshape(x.shape)

    def posterior(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """Probability (B, K) that x came from each component; at sigma = 0 its limit for vanishing noise."""
        return self._blocks(lambda terms: terms.logits.softmax(dim=1), x, alpha, sigma)

    def data_mean(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """E[x_0 | x_t = x], shape (B, ...); at sigma = 0 its limit, which for points is the nearest one, exactly."""

        def result(terms: _Terms) -> Tensor:
            posterior = terms.logits.softmax(dim=1)
            safe = terms.variance.clamp(min=_TINY)
            keep = torch.where(terms.variance > 0, terms.sigma.square() / safe, 1.0)
            shrink = terms.alpha * self._width / safe
            return (posterior * keep) @ self._flat + (posterior * shrink).sum(dim=1, keepdim=True) * terms.x

        return self._blocks(result, x, alpha, sigma).reshape(x.shape)

    def _terms(self, x: Tensor, alpha: Tensor, sigma: Tensor) -> _Terms:
        variance = alpha.square() * self._width + sigma.square()
        safe = variance.clamp(min=_TINY)
        silent = alpha < _NO_SIGNAL
        scale = torch.where(silent, 1.0, alpha)
        distance = scale * torch.cdist(x / scale, self._flat, compute_mode="donot_use_mm_for_euclid_dist")
        squared = torch.where(silent, x.square().sum(dim=1, keepdim=True), distance.square())
        normalizer = 0.5 * x.shape[1] * (safe.log() + math.log(2 * math.pi))
        if self._width.numel() > 1:
            return _Terms(x, alpha, sigma, variance, self.weights.log() - squared / (2 * safe) - normalizer, 0.0)
        # One common width: what all components share is set aside before the division, so that logits stay exact where
        # the width is small, and are not 0/0 where it is 0.
        nearest = squared.amin(dim=1, keepdim=True)
        logits = self.weights.log() - (squared - nearest) / (2 * safe)
        return _Terms(x, alpha, sigma, variance, logits, -nearest / (2 * safe) - normalizer)

    def _blocks(
        self,
        result: Callable[[_Terms], Tensor],
        x: Tensor,
        alpha: float | Tensor,
        sigma: float | Tensor,
        needs_density: bool = False,
    ) -> Tensor:
        """`result` of every block of queries, (B, ...), in the dtype and on the device of x."""
        fits = x.is_floating_point() and x.ndim == self.means.ndim and x.shape[1:] == self.means.shape[1:]
        check(
            fits and len(x) > 0,
            f"x must be floating-point of shape (B, {', '.join(map(str, self.shape))}), got {x.dtype} {tuple(x.shape)}",
        )
        signal = self._level("alpha", alpha, len(x))
        noise = self._level("sigma", sigma, len(x))
        check(
            not needs_density or bool((signal.square() * self._width + noise.square() > 0).all()),
            "sigma must be above 0 where a component has std = 0: points have no density; at sigma = 0 use data_mean "
            "or posterior",
        )
        queries = x.to(self.means.device).to(torch.float64).reshape(len(x), -1)
        parts = zip(*(v.split(max(1, _BLOCK // len(self))) for v in (queries, signal, noise)), strict=True)
        answer = torch.cat([result(self._terms(*part)) for part in parts])
        return answer.to(x.dtype).to(x.device)

    def _level(self, name: str, value: float | Tensor, count: int) -> Tensor:
        """A signal or noise level as (B, 1)."""
        level = _float64(value)
        check(level.shape in ((), (count,)), f"{name} must be one number or ({count},), got shape {tuple(level.shape)}")
        ok = bool((torch.isfinite(level) & (level >= 0)).all())
        check(ok, f"{name} must be finite and not negative, got {value!r}")
        return level.to(self.means.device).expand(count)[:, None]


def _float64(value: float | Tensor) -> Tensor:
    """A number or tensor as float64 on the CPU; a Python float keeps all its digits."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu").to(torch.float64)
    return torch.tensor(value, dtype=torch.float64)


def _per_component(name: str, value: float | Tensor, count: int, device: torch.device) -> Tensor:
    """(K,) float64, from one number or one per component."""
    values = _float64(value).to(device)
    check(values.shape in ((), (count,)), f"{name} must be one number or ({count},), got shape {tuple(values.shape)}")
    check(bool(torch.isfinite(values).all()), f"{name} must be finite, got {value!r}")
    return values.expand(count).clone()
