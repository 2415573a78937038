"""The window of one run: the training times after tau_gen and before tau_mem, and which phase a step lies in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from genwindow.curve import Estimate
from genwindow.runs.result import RunResult

State = Literal["open", "open_end", "closed", "unknown"]
Phase = Literal["early", "window", "early_copy", "copying", "unknown"]

UNKNOWN = Estimate(None, None, None, "ill_posed", "measured", "not measured")
"""In place of an estimate that a run does not have."""

PHASE_WORDS: dict[Phase, str] = {
    "early": "before the window",
    "window": "in the window",
    "early_copy": "copying before quality",
    "copying": "copying",
    "unknown": "phase unknown",
}


@dataclass(frozen=True)
class Window:
    """When one run generates without copying.

    Attributes:
        state: `open`; `open_end` (surely no copying for a while after tau_gen, and none found later); `closed` (copying
            comes first); `unknown` (the two times cannot be put in order).
        sure: whether the intervals of the two times leave no doubt about their order.
        tau_gen: start, where the run has one.
        tau_mem: end, where the run has one.
    """

    state: State
    sure: bool
    tau_gen: Estimate
    tau_mem: Estimate


def window(run: RunResult) -> Window:
    """The window of `run`, read from its estimates `tau_gen` and `tau_mem`."""
    gen, mem = run.estimates.get("tau_gen", UNKNOWN), run.estimates.get("tau_mem", UNKNOWN)
    return Window(_state(gen, mem), _sure(gen, mem), gen, mem)


def _state(gen: Estimate, mem: Estimate) -> State:
    if gen.value is not None and mem.value is not None:
        return "open" if mem.value > gen.value else "closed"
    match gen.status, mem.status:
        case "found" | "below_range", "not_reached":
            start = gen.high if gen.value is None else gen.value
            return "open_end" if start is not None and (mem.low or 0.0) > start else "unknown"
        case "below_range", "found":
            return "open"
        case ("found", "below_range") | ("not_reached", "found" | "below_range"):
            return "closed"
    return "unknown"


def _sure(gen: Estimate, mem: Estimate) -> bool:
    """Whether one of the two intervals ends before the other begins."""
    return _before(gen, mem) or _before(mem, gen)


def _before(one: Estimate, other: Estimate) -> bool:
    return one.high is not None and other.low is not None and one.high < other.low


def tells_nothing(mem: Estimate) -> bool:
    """Whether no measurement could show that copying had not begun."""
    return mem.status == "not_reached" and not mem.low


def phase(run: RunResult, tau: float) -> Phase:
    """Where the training time `tau` lies relative to the two times of `run`."""
    gen, mem = run.estimates.get("tau_gen", UNKNOWN), run.estimates.get("tau_mem", UNKNOWN)
    generates, copies = _passed(gen, tau), _passed(mem, tau)
    if tells_nothing(mem):
        copies = None
    if generates is None or copies is None:
        return "unknown"
    if copies:
        return "copying" if generates else "early_copy"
    return "window" if generates else "early"


def _passed(estimate: Estimate, tau: float) -> bool | None:
    """Whether the event has happened by `tau`; None when the data do not say."""
    if estimate.value is not None:
        return tau >= estimate.value
    if estimate.status == "not_reached":
        return None if estimate.low and tau > estimate.low else False
    if estimate.status == "below_range" and estimate.high is not None:
        return True if tau >= estimate.high else None
    return None
