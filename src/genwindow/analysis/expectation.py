"""An expectation: what pilots say about one full run: when copying begins, how long the window is, when to save."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from genwindow.analysis.blend import BackTest, Blend, blend
from genwindow.analysis.forecast import Forecast
from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError

SNAPSHOTS = 4
"""How many times to save are proposed."""


@dataclass(frozen=True)
class PilotRun:
    """What one pilot cost and found.

    Attributes:
        n: training images.
        width: of its network.
        seed: of its training.
        steps: steps made.
        seconds: time spent.
        tau_gen: when its samples were good.
        tau_mem: when it began to copy.
        tau_mem_loss: when its losses split.
    """

    n: int
    width: int
    seed: int
    steps: int
    seconds: float
    tau_gen: Estimate
    tau_mem: Estimate
    tau_mem_loss: Estimate

    @property
    def closed(self) -> bool:
        """Whether it began to copy before its samples were good, as far as can be told."""
        gen, mem = self.tau_gen, self.tau_mem
        return mem.value is not None and gen.status != "below_range" and (gen.value is None or gen.value >= mem.value)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        plain = {k: v.to_json() if isinstance(v, Estimate) else v for k, v in vars(self).items()}
        return {**plain, "closed": self.closed}


@dataclass(frozen=True, eq=False)
class Expectation:
    """Everything that is expected of the full run.

    Attributes:
        n: its training images.
        width: of its network where the pilots differ in it, else None.
        batch: its images at each step.
        lines: straight and, where the theory has times, bent forecast of tau_mem, the more probable one first.
        tests: their back-tests, which with the odds of earlier runs (`blend.ODDS`) give the lines their weights.
        loss_line: of the loss split, or None where too few pilots show it.
        loss_test: its back-test.
        tau_gen: of the pilots, the largest n that has one: it hardly depends on n.
        seconds_per_step: of a training step of the full run, measuring left out; None when not known.
        pace: whose pace this is, for a person.
        theory: points (n, tau) of the random-features model, moved in time to meet the pilots at their centre.
        pilots: what they cost and found.
        steps: how long one wants to train, or None.
        notes: further sentences for a person.
        settings: what the full run must share with the pilots, by the names of the settings, as text.
    """

    n: int
    width: float | None
    batch: int
    lines: tuple[Forecast, ...]
    tests: tuple[BackTest | None, ...]
    loss_line: Forecast | None
    loss_test: BackTest | None
    tau_gen: Estimate
    seconds_per_step: float | None
    pace: str
    theory: tuple[tuple[float, float], ...]
    pilots: tuple[PilotRun, ...]
    steps: int | None = None
    notes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def straight(self) -> Forecast:
        """The power law."""
        return next(line for line in self.lines if line.shape == "power law")

    @cached_property
    def line(self) -> Blend:
        """Both lines as one, each with its weight."""
        return blend(self.lines, self.tests)

    def weight(self, line: Forecast) -> float:
        """Probability of a line, by earlier runs and the back-tests; 0 where it plays no part."""
        return next((w for one, w in zip(self.line.lines, self.line.weights, strict=True) if one is line), 0.0)

    @cached_property
    def tau_mem(self) -> Estimate:
        """In steps, by both lines with their weights, with its 90 % interval."""
        return self.line.predict(self.n, width=self.width)

    @property
    def loss(self) -> Estimate | None:
        """The loss split in steps, with its 90 % interval."""
        return None if self.loss_line is None else self.loss_line.predict(self.n, width=self.width)

    @property
    def window(self) -> Estimate:
        """Length of the window in steps, from tau_gen to tau_mem; `ill_posed` where it may be closed."""
        gen, mem = self.tau_gen, self.tau_mem
        if gen.value is None or mem.value is None or mem.low is None or mem.high is None:
            return Estimate(
                None, None, None, "ill_posed", "window", f"no pilot tells when samples are good: {gen.text}"
            )
        late, early = gen.high, gen.low or 0.0
        if late is None or mem.low <= late:
            text = "copying may begin before samples are good: the window may be closed"
            return Estimate(None, None, None, "ill_posed", "window", text)
        value, low, high = mem.value - gen.value, mem.low - late, mem.high - early
        text = f"the window is expected to last {short(value)} steps ({short(low)} to {short(high)})"
        return Estimate(value, low, high, "found", "window", text)

    @property
    def snapshots(self) -> tuple[int, ...]:
        """Steps at which to save the weights: from good samples to the earliest expected copying; none when closed."""
        gen, mem = self.tau_gen.value, self.tau_mem.low
        if gen is None or mem is None or not self.window.found:
            return ()
        return tuple(round(float(step)) for step in np.geomspace(gen, mem, SNAPSHOTS))

    def scaled(self, tau: Estimate, by: float) -> dict[str, float | None]:
        """A time in another unit: steps times `by`."""
        ends = {"value": tau.value, "low": tau.low, "high": tau.high}
        return {name: None if end is None else end * by for name, end in ends.items()}

    def hours(self, tau: Estimate) -> dict[str, float | None] | None:
        """A time in hours of training, or None when the pace is not known."""
        return None if self.seconds_per_step is None else self.scaled(tau, self.seconds_per_step / 3600)

    def needed(self, line: Forecast | Blend | None) -> float | None:
        """Images needed to train `steps` steps before the event, at 95 % confidence; None where not known."""
        if line is None or self.steps is None:
            return None
        return images_needed(line, self.steps, width=self.width)

    @property
    def cost(self) -> tuple[int, float]:
        """Steps and seconds of all pilots together."""
        return sum(p.steps for p in self.pilots), sum(p.seconds for p in self.pilots)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        steps, seconds = self.cost
        times = {"tau_mem": self.tau_mem, "tau_mem_loss": self.loss}
        return {
            "n": self.n,
            "width": self.width,
            "batch": self.batch,
            "settings": dict(self.settings),
            **{name: None if tau is None else tau.to_json() for name, tau in times.items()},
            "samples_seen": {name: self.scaled(tau, self.batch) for name, tau in times.items() if tau is not None},
            "hours": {name: self.hours(tau) for name, tau in times.items() if tau is not None},
            "tau_gen": self.tau_gen.to_json(),
            "window": self.window.to_json(),
            "snapshots": list(self.snapshots),
            "steps": self.steps,
            "images_needed": self.needed(self.line),
            "images_needed_loss": self.needed(self.loss_line),
            "lines": [
                {
                    "shape": line.shape, "weight": self.weight(line),
                    "exponent": line.exponent.to_json(), "slope_one_p": line.slope_one_p,
                    "width_exponent": None if line.width_exponent is None else line.width_exponent.to_json(),
                    "sigma": line.sigma, "predicted": line.predict(self.n, width=self.width).to_json(),
                    "back_test": None if test is None else test.to_json(),
                }
                for line, test in zip(self.lines, self.tests, strict=True)
            ],
            "loss_back_test": None if self.loss_test is None else self.loss_test.to_json(),
            "theory": [list(point) for point in self.theory],
            "pilots": [pilot.to_json() for pilot in self.pilots],
            "pilot_steps": steps,
            "pilot_seconds": seconds,
            "seconds_per_step": self.seconds_per_step,
            "pace": self.pace,
            "notes": list(self.notes),
        }  # fmt: skip


def images_needed(
    line: Forecast | Blend, steps: float, *, width: float | None = None, low: float = 1.0, high: float = 1e9
) -> float | None:
    """The n at which the lower end of the forecast is `steps`: so many images for so long a training; None outside.

    Args:
        line: the forecast.
        steps: of training.
        width: of the network, where the pilots differ in it.
        low: smallest n looked at.
        high: largest.
    """

    def early(n: float) -> float | None:
        try:
            return line.predict(n, width=width).low
        except GenwindowError:
            return None  # a bent line ends where its theory was computed

    known = [n for n in np.geomspace(low, high, 28) if early(n) is not None]
    enough = [n for n in known if (early(n) or 0.0) >= steps]
    if not enough:
        return None
    end = enough[0]
    start = max((n for n in known if n < end), default=None)
    if start is None:
        return float(math.ceil(end))
    for _ in range(30):
        middle = math.sqrt(start * end)
        start, end = (middle, end) if (early(middle) or 0.0) < steps else (start, middle)
    return float(math.ceil(end))
