"""A schedule: how signal and noise are mixed at diffusion time t, x_t = alpha(t) x_0 + sigma(t) xi; t = 0 is the data.

Every schedule has its own clock. `ou_time` maps it onto the clock of the Ornstein-Uhlenbeck process, in which the
theory is written: two schedules at equal signal-to-noise ratio alpha/sigma are the same process up to a factor.

Sources: Ho, Jain, Abbeel, arXiv 2006.11239 (linear); Nichol, Dhariwal, arXiv 2102.09672 (cosine); Liu, Gong, Liu, arXiv
2209.03003 (rectified flow); Albergo, Vanden-Eijnden, arXiv 2209.15571 (interpolant); Bonnaire et al., arXiv 2505.17638,
section 2 (Ornstein-Uhlenbeck).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor
from typing_extensions import override

from genwindow.errors import GenwindowError, check, check_choice, check_integer, check_number


class Schedule(ABC):
    """Signal alpha(t) and noise sigma(t) for t in [0, t_max]; float64 in, float64 out.

    Attributes:
        name: as in the settings of a run.
        t_max: the longest diffusion time, where sampling starts.
        discrete: whether training uses whole t only.
    """

    name: str
    t_max: float
    discrete: bool = False

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """(...) signal level at diffusion times t (...), in [0, 1]."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """(...) noise level at diffusion times t (...), in [0, 1]."""

    @abstractmethod
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Derivatives (d alpha, d sigma) along the clock in which the velocity of this schedule is defined."""

    @abstractmethod
    def training_times(self, count: int, generator: torch.Generator) -> Tensor:
        """(count,) diffusion times to train at, each in (0, t_max]."""

    @abstractmethod
    def grid(self, steps: int) -> Tensor:
        """(steps + 1,) decreasing diffusion times from t_max to exactly 0, for a sampler."""

    def conditioning(self, t: Tensor) -> Tensor:
        """What the network is told about t: the clock stretched to [0, 1000], whatever the schedule."""
        return t * (1000.0 / self.t_max)

    def ou_time(self, t: Tensor) -> Tensor:
        """Ornstein-Uhlenbeck time of equal signal-to-noise ratio: 1/2 log(1 + (sigma/alpha)^2), infinite at alpha = 0.

        For a variance-preserving schedule this is -log alpha(t).
        """
        t = torch.as_tensor(t, dtype=torch.float64)
        return 0.5 * torch.log1p((self.sigma(t) / self.alpha(t)).square())

    def check_time(self, t: Tensor | float, name: str = "t") -> Tensor:
        """`t` as float64 tensor, or an error when it lies outside [0, t_max]."""
        times = torch.as_tensor(t, dtype=torch.float64)
        if not bool(((times >= 0) & (times <= self.t_max)).all()):  # called at every step: no text is made in vain
            raise GenwindowError(f"{name} must lie in [0, {self.t_max:g}] for the {self.name} schedule, got {t}")
        return times


def alike(one: Schedule, other: Schedule) -> bool:
    """Whether two schedules noise in the same way: they agree at 17 times from 0 to one longest time."""
    if (one.t_max, one.discrete) != (other.t_max, other.discrete):
        return False
    t = torch.linspace(0, one.t_max, 17, dtype=torch.float64)
    return torch.equal(one.alpha(t), other.alpha(t)) and torch.equal(one.sigma(t), other.sigma(t))


@final
class DiscreteSchedule(Schedule):
    """DDPM: t = k counts noising steps, alpha(k)^2 = prod_{i <= k} (1 - beta_i), t = 0 is the data itself.

    Between whole steps log alpha^2 is interpolated linearly. There is no natural continuous clock, so the velocity is
    taken along the angle atan(sigma/alpha), which gives v = alpha xi - sigma x_0 (Salimans, Ho, arXiv 2202.00512).
    """

    discrete = True

    def __init__(self, name: str, beta: Tensor) -> None:
        beta = torch.as_tensor(beta, dtype=torch.float64)
        check(beta.ndim == 1 and len(beta) > 0, f"beta must be one-dimensional and not empty, got {tuple(beta.shape)}")
        check(bool(((beta > 0) & (beta < 1)).all()), "beta must lie in (0, 1) at every step")
        self.name = name
        self.steps = len(beta)
        self.t_max = float(self.steps)
        self._log_alpha_bar = torch.cat([torch.zeros(1, dtype=torch.float64), torch.log1p(-beta).cumsum(0)])

    def log_alpha_bar(self, t: Tensor) -> Tensor:
        """Log of alpha(t)^2, linear between whole steps."""
        t = torch.as_tensor(t, dtype=torch.float64)
        table = self._log_alpha_bar.to(t.device)
        below = t.floor().clamp(0, self.steps - 1)
        k = below.long()
        return table[k] + (t - below) * (table[k + 1] - table[k])

    @override
    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(0.5 * self.log_alpha_bar(t))

    @override
    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(self.log_alpha_bar(t)))

    @override
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -self.sigma(t), self.alpha(t)

    @override
    def training_times(self, count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(1, self.steps + 1, (count,), generator=generator).double()

    @override
    def grid(self, steps: int) -> Tensor:
        check_integer("steps", steps, low=1, high=self.steps)
        return torch.linspace(self.t_max, 0, steps + 1, dtype=torch.float64).round()

    def index_of_alpha_bar(self, alpha_bar: float) -> float:
        """The (fractional) step k with alpha(k)^2 = alpha_bar; inverse of `alpha(k)**2`."""
        check_number("alpha_bar", alpha_bar, low=float(self._log_alpha_bar[-1].exp()) * (1 - 1e-12), high=1)
        target = torch.tensor(math.log(alpha_bar), dtype=torch.float64)
        k = int((self._log_alpha_bar >= target).sum().clamp(1, self.steps)) - 1
        left, right = self._log_alpha_bar[k], self._log_alpha_bar[k + 1]
        return float(k + ((target - left) / (right - left)).clamp(0, 1))

    def index_of_ou_time(self, t: float) -> float:
        """The (fractional) step k whose signal level is that of Ornstein-Uhlenbeck time t."""
        return self.index_of_alpha_bar(math.exp(-2 * check_number("t", t, low=0)))


def linear_schedule(steps: int = 1000, first: float = 1e-4, last: float = 2e-2) -> DiscreteSchedule:
    """DDPM's linear beta from `first` to `last` (arXiv 2006.11239, section 4)."""
    check_integer("steps", steps, low=1)
    return DiscreteSchedule("linear", torch.linspace(first, last, steps, dtype=torch.float64))


def cosine_schedule(steps: int = 1000, offset: float = 0.008) -> DiscreteSchedule:
    """Cosine schedule (arXiv 2102.09672, eq. 17), beta clipped at 0.999."""
    check_integer("steps", steps, low=1)
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    alpha_bar = torch.cos((u + offset) / (1 + offset) * math.pi / 2) ** 2
    return DiscreteSchedule("cosine", (1 - alpha_bar[1:] / alpha_bar[:-1]).clamp(max=0.999))


@final
class OrnsteinUhlenbeck(Schedule):
    """dx = -x dt + sqrt(2) dB: alpha = exp(-t), sigma^2 = 1 - exp(-2t) (arXiv 2505.17638, section 2).

    Training times and sampler grids are uniform in sqrt(t), which puts as many at small noise as DDPM does. The
    velocity is taken along the angle atan(sigma/alpha): along t it grows without bound as t goes to 0, and so would
    the loss of a network that predicts it.
    """

    name = "ou"

    def __init__(self, t_max: float = 5.0) -> None:
        self.t_max = check_number("t_max", t_max, low=0, low_open=True)

    @override
    def alpha(self, t: Tensor) -> Tensor:
        return torch.exp(-torch.as_tensor(t, dtype=torch.float64))

    @override
    def sigma(self, t: Tensor) -> Tensor:
        return torch.sqrt(-torch.expm1(-2 * torch.as_tensor(t, dtype=torch.float64)))

    @override
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -self.sigma(t), self.alpha(t)

    @override
    def training_times(self, count: int, generator: torch.Generator) -> Tensor:
        u = 1 - torch.rand(count, dtype=torch.float64, generator=generator)
        return self.t_max * u**2

    @override
    def grid(self, steps: int) -> Tensor:
        check_integer("steps", steps, low=1)
        return self.t_max * torch.linspace(1, 0, steps + 1, dtype=torch.float64) ** 2


class _UnitTime(Schedule):
    """Time runs from 0, the data, to 1, pure noise, and is drawn evenly."""

    t_max = 1.0

    @override
    def training_times(self, count: int, generator: torch.Generator) -> Tensor:
        return 1 - torch.rand(count, dtype=torch.float64, generator=generator)

    @override
    def grid(self, steps: int) -> Tensor:
        check_integer("steps", steps, low=1)
        return torch.linspace(1, 0, steps + 1, dtype=torch.float64)


@final
class RectifiedFlow(_UnitTime):
    """Straight lines from data to noise: alpha = 1 - t, sigma = t, velocity xi - x_0 (arXiv 2209.03003)."""

    name = "flow"

    @override
    def alpha(self, t: Tensor) -> Tensor:
        return 1 - torch.as_tensor(t, dtype=torch.float64)

    @override
    def sigma(self, t: Tensor) -> Tensor:
        return torch.as_tensor(t, dtype=torch.float64)

    @override
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        one = torch.ones_like(torch.as_tensor(t, dtype=torch.float64))
        return -one, one


@final
class TrigonometricInterpolant(_UnitTime):
    """Stochastic interpolant cos(pi t/2) x_0 + sin(pi t/2) xi (Albergo, Vanden-Eijnden, arXiv 2209.15571, section 2).

    It preserves variance as DDPM does, and travels the angle atan(sigma/alpha) at constant speed.
    """

    name = "interpolant"

    @override
    def alpha(self, t: Tensor) -> Tensor:
        t = torch.as_tensor(t, dtype=torch.float64)
        return torch.where(t < 1, torch.cos(t * (math.pi / 2)), 0.0)

    @override
    def sigma(self, t: Tensor) -> Tensor:
        return torch.sin(torch.as_tensor(t, dtype=torch.float64) * (math.pi / 2))

    @override
    def rates(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return -math.pi / 2 * self.sigma(t), math.pi / 2 * self.alpha(t)


SCHEDULES: dict[str, Callable[[], Schedule]] = {
    "linear": linear_schedule,
    "cosine": cosine_schedule,
    "ou": OrnsteinUhlenbeck,
    "flow": RectifiedFlow,
    "interpolant": TrigonometricInterpolant,
}


def named_schedule(name: str) -> Schedule:
    """The schedule of that name with its default settings: `linear`, `cosine`, `ou`, `flow`, `interpolant`."""
    return SCHEDULES[check_choice("schedule", name, SCHEDULES)]()
