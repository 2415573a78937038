"""A prediction: what a network says about x_t, as noise, data, score or velocity; each can be had from each.

With x = alpha x_0 + sigma xi: score = -xi / sigma and velocity = alpha' x_0 + sigma' xi, the primes taken along the
schedule's clock. The pair (noise, data) is the common form: the samplers need both and it is regular where the score
is not.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from genwindow.diffusion.schedules import Schedule
from genwindow.errors import check, check_choice

Kind = Literal["noise", "data", "score", "velocity"]


class Prediction(NamedTuple):
    """What is believed to have made x_t = alpha data + sigma noise; both have the shape of x_t."""

    noise: Tensor
    data: Tensor


def spread(value: Tensor, like: Tensor) -> Tensor:
    """A per-image number (B,) or a scalar, shaped and typed to multiply images (B, ...).

    Raises:
        GenwindowError: for images of whole numbers, which would make whole numbers of it.
    """
    check(like.is_floating_point(), f"images must be floating-point numbers, got {like.dtype}")
    value = value.to(device=like.device, dtype=like.dtype)
    return value if value.ndim == 0 else value.reshape(-1, *[1] * (like.ndim - 1))


def to_prediction(output: Tensor, kind: Kind, x: Tensor, t: Tensor, schedule: Schedule) -> Prediction:
    """Read `output`, a `kind` for noisy images x at times t, as the pair (noise, data).

    Args:
        output: (B, ...) what the network returned.
        kind: what that is.
        x: (B, ...) noisy images.
        t: (B,) or scalar diffusion times, in (0, t_max].
        schedule: where t lives.

    Raises:
        GenwindowError: for noise or score where alpha = 0: there x is pure noise and tells nothing about the data.
    """
    check_choice("prediction", kind, get_args(Kind))
    alpha, sigma = schedule.alpha(t), schedule.sigma(t)
    a, s = spread(alpha, x), spread(sigma, x)
    if kind == "data":
        return Prediction((x - a * output) / s, output)
    if kind == "velocity":
        da, ds = schedule.rates(t)
        det = spread(alpha * ds - sigma * da, x)
        da, ds = spread(da, x), spread(ds, x)
        return Prediction((a * output - da * x) / det, (ds * x - s * output) / det)
    check(bool((alpha > 0).all()), f"a {kind} prediction needs alpha(t) > 0; use velocity or data with {schedule.name}")
    noise = output if kind == "noise" else -s * output
    return Prediction(noise, (x - s * noise) / a)


def from_prediction(prediction: Prediction, kind: Kind, t: Tensor, schedule: Schedule) -> Tensor:
    """The pair (noise, data) at times t as a `kind`: inverse of `to_prediction`, and what a network is trained on."""
    check_choice("prediction", kind, get_args(Kind))
    noise, data = prediction
    if kind == "noise":
        return noise
    if kind == "data":
        return data
    if kind == "score":
        return -noise / spread(schedule.sigma(t), noise)
    da, ds = schedule.rates(t)
    return spread(da, data) * data + spread(ds, noise) * noise


def noised(x: Tensor, t: Tensor, noise: Tensor, schedule: Schedule) -> Tensor:
    """x_t = alpha(t) x + sigma(t) noise, for images x (B, ...), times t (B,) and noise (B, ...)."""
    check(x.shape == noise.shape, f"noise must have the shape of x {tuple(x.shape)}, got {tuple(noise.shape)}")
    return torch.addcmul(spread(schedule.alpha(t), x) * x, spread(schedule.sigma(t), x), noise)
