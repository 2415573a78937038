"""`phase`: who copies by when, over the number of images n and the width W (Fig. 3, right, of arXiv 2505.17638)."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence

from genwindow.analysis import Cell, measured_plane
from genwindow.analysis.plane import Region
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, faces, smoke
from genwindow.report import plane_figure
from genwindow.report.window import UNKNOWN
from genwindow.report.words import last_step
from genwindow.runs import RunConfig, RunResult

MULTIPLES = (4.0, 8.0, 16.0)
SHOWN = 8.0


def configs(scale: Scale) -> Sequence[RunConfig]:
    """A grid of n and W, all trained equally long."""
    if scale == "smoke":
        return [smoke(n, width=w) for w in (8, 16) for n in (8, 16)]
    if scale == "cpu":
        grid = [(w, n) for w in (16, 32, 64, 128, 256) for n in (32, 64, 128, 256, 512)]
        return [digits_mlp(n, steps=20_000, width=w) for w, n in grid]
    return [faces(n, width=w) for w in (8, 16, 32, 48, 64) for n in (128, 256, 512, 1024, 2048, 4096, 8192, 16_384)]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """Regions at a multiple of tau_gen(W), boundaries n*(W) at several times, and how n* grows with time."""
    cells = [
        Cell(
            r.n,
            float(r.config.net.width),
            last_step(r) or 0.0,
            r.estimates.get("tau_gen", UNKNOWN),
            r.estimates.get("tau_mem", UNKNOWN),
        )
        for r in runs
    ]
    plane = measured_plane(cells, MULTIPLES)
    regions = []
    for cell in plane.cells:
        generated = plane.tau_gen[cell.size].value
        regions.append("unknown" if generated is None else plane.region(cell, SHOWN * generated))
    counts = Counter(regions)
    boundary = plane.boundaries[-1]
    reached = [f"{p.n:.0f} (W = {p.size:g}, {p.status})" for p in boundary.points if p.n is not None]
    sentences = [
        f"At {SHOWN:g} tau_gen(W), of {len(plane.cells)} runs {counts['memorization']} copy, "
        f"{counts['generalization']} generate and do not copy yet, {counts['regularized']} never copied in the whole "
        f"run{_rest(counts)}.",
        f"At the longest time, {plane.longest:,.0f} steps, the boundary n* lies at {', '.join(reached)}."
        if reached
        else "No boundary lies inside the sizes that were run.",
        "That a run never copied is shown for its length only; architectural regularization is its limit.",
    ]
    summary = {
        "cells": [
            {
                "n": c.n,
                "width": c.size,
                "tau_gen": c.tau_gen.to_json(),
                "tau_mem": c.tau_mem.to_json(),
                "region": region,
            }
            for c, region in zip(plane.cells, regions, strict=True)
        ],
        "tau_gen": {f"{size:g}": e.to_json() for size, e in plane.tau_gen.items()},
        "boundaries": {b.label: [dataclasses.asdict(p) for p in b.points] for b in plane.boundaries},
        "regions": dict(counts),
    }
    caption = (
        f"Left: every run at {SHOWN:g} times the tau_gen of its width. Right: the boundary n*, below which a width "
        "copies, at growing times; full circles are interpolated, open ones lie between two sizes, triangles beyond "
        "the sizes that were run."
    )
    return Finding(summary, tuple(sentences), plane_figure(plane, SHOWN), caption)


def _rest(counts: Mapping[Region, int]) -> str:
    """The runs that are in none of the regions of the paper."""
    words: dict[Region, str] = {"early": "have not learned to generate", "unknown": "do not say"}
    return "".join(f", {counts[region]} {said}" for region, said in words.items() if counts[region])


EXPERIMENT = Experiment(
    "phase",
    "The (n, W) plane: copying, generating, and networks that never copied",
    "at any training time small training sets are copied, larger ones are not, and small networks never copy large "
    "sets (Fig. 3, right, of arXiv 2505.17638, and its extension).",
    configs,
    analyse,
)
