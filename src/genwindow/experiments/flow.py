"""`flow`: flow matching and a stochastic interpolant in place of DDPM (asked for in the paper's reviews)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from genwindow.experiments.arms import Arm, arms, compare_arms
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, faces, smoke
from genwindow.runs import DiffusionSettings, RunConfig, RunResult

PROCESSES: dict[str, DiffusionSettings] = {
    "DDPM": DiffusionSettings("linear", "velocity"),
    "rectified flow": DiffusionSettings("flow", "velocity"),
    "interpolant": DiffusionSettings("interpolant", "velocity"),
}
"""Name of each process; the network predicts the velocity in all of them, so that only the process differs."""


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every process at every n, with one network and one optimizer."""
    return [
        dataclasses.replace(config, diffusion=process) for process in PROCESSES.values() for config in _sizes(scale)
    ]


def _sizes(scale: Scale) -> list[RunConfig]:
    if scale == "smoke":
        return [smoke(n) for n in (8, 16)]
    if scale == "cpu":
        return [digits_mlp(n, steps=110 * n) for n in (64, 128, 256)]
    return [faces(n, optimizer="adam", steps=500_000) for n in (512, 1024, 2048, 4096)]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The laws side by side, and both times against those of DDPM."""
    names = {process: name for name, process in PROCESSES.items()}
    found = arms(runs, lambda run: names[run.config.diffusion])
    compared = compare_arms(found, "tau_mem grows as n to the power")
    laws = compared.sentences[:2]
    first = found[0]
    ratios = {name: {arm.label: _ratios(first, arm, name) for arm in found[1:]} for name in ("tau_gen", "tau_mem")}
    words = [
        f"{name} over that of {first.label}: "
        + "; ".join(f"{_words(values)} ({arm})" for arm, values in by_arm.items())
        + "."
        for name, by_arm in ratios.items()
    ]
    summary = {**compared.summary, "over_ddpm": ratios}
    return Finding(summary, (*laws, *words), compared.figure, compared.caption)


def _ratios(first: Arm, arm: Arm, name: Literal["tau_gen", "tau_mem"]) -> dict[str, float | None]:
    """How many times later than the first arm, at each n where both have the time."""
    earlier = dict(zip(first.sizes, first.times(name), strict=True))
    return {
        str(n): time.value / base if time.value and (base := earlier[n].value) else None
        for n, time in zip(arm.sizes, arm.times(name), strict=True)
    }


def _words(values: dict[str, float | None]) -> str:
    return ", ".join(f"{'unknown' if value is None else f'{value:.2f}'}, n = {n}" for n, value in values.items())


EXPERIMENT = Experiment(
    "flow",
    "Flow matching and an interpolant in place of DDPM",
    "the two times are no feature of DDPM: flow matching and stochastic interpolants have them too (the reviews of "
    "arXiv 2505.17638).",
    configs,
    analyse,
)
