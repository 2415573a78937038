"""A run seen by one of its variants: another sampler, a guidance weight, or one class only."""

from __future__ import annotations

import dataclasses

from genwindow.runs import RunResult

KINDS = ("f_mem", "frechet")
TIMES = ("tau_mem", "tau_gen", "floor")


def seen_by(run: RunResult, part: str) -> RunResult:
    """The run with the curves and times of `part` in place of its own; those it has none of are left out.

    Args:
        run: as measured.
        part: what follows the colon in the names of curves: `ddpm`, `w=1`, `class=0`.
    """
    curves = [curve for curve in run.curves if curve.name not in KINDS]
    curves += [
        dataclasses.replace(curve, name=kind)
        for kind in KINDS
        for curve in run.curves
        if curve.name == f"{kind}:{part}"
    ]
    estimates = {name: value for name, value in run.estimates.items() if name not in TIMES}
    estimates |= {name: run.estimates[f"{name}:{part}"] for name in TIMES if f"{name}:{part}" in run.estimates}
    return dataclasses.replace(run, curves=tuple(curves), estimates=estimates)
