"""`mixture`: a residual MLP on Gaussian mixtures, whose score is known exactly (appendix B of arXiv 2505.17638)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genwindow.analysis import tau_mem
from genwindow.curve import Curve, Estimate
from genwindow.data.points import draw_points
from genwindow.diffusion.draws import keyed_generator
from genwindow.experiments.arms import Arm, arms, exponent_words, law_words
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.score_errors import ScoreErrors, score_errors
from genwindow.experiments.settings import Scale, mixture_mlp, smoke_points
from genwindow.experiments.variants import seen_by
from genwindow.metrics import TrainingSet, memorized_fraction
from genwindow.report import Line, Panel, Times, ordered_colours, panels_figure, size_colours
from genwindow.report.palette import COPY, MUTED
from genwindow.runs import MeasureSettings, RunConfig, RunResult

OPTIMIZERS = {"adam": "Adam", "sgd": "SGD"}
LATER = 0.05
"""A second share of copies at which tau_mem is read, since the first copies are few and depend on the sampler."""

BATCH = 64
"""Points of a step in the runs that do not take all of them at once, in the lowest dimension."""

WIDTHS = {(16, 64): 80, (8, 256): 80, (16, 256): 50}
"""Dimensions and widths of further networks trained by SGD, which is late to copy where they are narrow, and steps for
each point."""

MARKERS = {"DDIM": "D", "DDPM": "o"}

FLOOR_DIMENSIONS = (1, 2, 3, 4, 6, 8)
FLOOR_TRAIN = 512
FLOOR_POINTS = 20_000


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every dimension and n with both optimizers; each run samples by DDIM and by DDPM.

    At the cpu scale runs with all points at once have six seeds, those with batches one, and SGD with networks of
    other widths three.
    """
    if scale == "smoke":
        made = [smoke_points(n, optimizer=o) for o in ("adam", "sgd") for n in (16, 32)]
    elif scale == "cpu":
        made = [
            mixture_mlp(n, steps=_length(n, d, o, batch), dimension=d, optimizer=o, batch=batch, seed=seed)
            for d, batch in ((8, 0), (8, BATCH), (16, 0))
            for o in ("adam", "sgd")
            for n in (64, 128, 256, 512)
            for seed in range(1 if batch else 6)
        ]
        made += [
            mixture_mlp(n, steps=length * n, dimension=d, optimizer="sgd", seed=seed, width=width, first=100)
            for (d, width), length in WIDTHS.items()
            for n in (64, 128, 256, 512)
            for seed in range(3)
        ]
    else:
        made = [
            mixture_mlp(n, steps=200 * n, dimension=d, optimizer=o, batch=batch, samples=10_000, seed=seed)
            for d, batch in ((8, 0), (8, BATCH), (16, 0), (32, 0))
            for o in ("adam", "sgd")
            for n in (64, 128, 256, 512, 1024, 2048, 4096)
            for seed in range(3)
        ]
    return [dataclasses.replace(config, measure=_also_ddpm(config.measure)) for config in made]


def _length(n: int, d: int, optimizer: str, batch: int) -> int:
    """Steps of a run at the cpu scale: at d = 8 Adam copies early with all points at once, others late."""
    if (d, optimizer, batch) == (8, "sgd", 0):
        return 100 * n
    if (d, optimizer) != (8, "adam"):
        return 60 * n
    return 80 * n if batch else min(60 * n, 16_000)


def _also_ddpm(measure: MeasureSettings) -> MeasureSettings:
    return dataclasses.replace(measure, also_samplers=("ddpm",))


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The law of tau_mem for every dimension, optimizer and sampler; the floor; the errors to both exact scores."""
    found: dict[tuple[int, str], list[Arm]] = {}
    for d in sorted({run.config.data.dimension for run in runs}):
        members = [run for run in runs if run.config.data.dimension == d]
        for sampler, part in (("DDIM", None), ("DDPM", "ddpm")):
            read = members if part is None else [seen_by(run, part) for run in members]
            found[d, sampler] = arms(read, _label)
    batches = _over_full_batch(found)
    floors = fresh_floors()
    errors = score_errors(runs)
    sentences = (
        *(f"{sampler}: tau_mem grows as n to the power {_laws(found, sampler)}." for sampler in MARKERS),
        f"Local slopes between the two largest sizes: {_last_slopes(found)}.",
        f"Read where f_mem passes {LATER:.0%} in place of 1 %, by DDIM: {_later_laws(runs)}.",
        *(
            f"tau_mem with batches of {BATCH} over that with all points at once, d = {d}, DDIM: "
            f"{'; '.join(_ratio_words(name, ratios) for name, ratios in by_optimizer.items())}."
            for d, by_optimizer in batches.items()
        ),
        f"Fresh points count as copies of {FLOOR_TRAIN} others with the share {_floor_words(floors)}; "
        f"3^-d would be {', '.join(f'{3.0**-d:.2g}' for d in floors)}.",
        *errors.sentences,
    )
    summary = {
        "arms": {
            f"d = {d}, {arm.label}, {sampler}": arm.summary() for (d, sampler), made in found.items() for arm in made
        },
        "later": {f"d = {d}": {arm.label: arm.summary() for arm in made} for d, made in _later(runs).items()},
        "over_full_batch": {
            f"d = {d}": {
                name: {str(n): one.to_json() for n, one in ratios.items()} for name, ratios in found_at.items()
            }
            for d, found_at in batches.items()
        },
        "floor": {str(d): estimate.to_json() for d, estimate in floors.items()},
        "score_error": errors.summary,
    }
    caption = (
        "Upper row: copies along training in the lowest dimension (Adam, DDIM), lines from left to right with growing "
        "n; time to copying against n in each dimension, diamonds for DDIM with its law, circles for DDPM. Below: time "
        "to copying with batches of one size and with all points at once (DDIM), and by SGD with networks of several "
        "widths (DDPM); error to the exact score (solid) and to the empirical score (dashed) at one diffusion time; "
        "share of fresh points that the criterion calls copies against the dimension, with 3^-d."
    )
    return Finding(summary, sentences, panels_figure(_panels(found, floors, errors), columns=3), caption)


def _label(run: RunResult) -> str:
    train, width = run.config.train, run.config.net.width
    further = {
        f"batch {train.batch}": train.batch > 0,
        f"width {width}": (run.config.data.dimension, width) in WIDTHS,
    }
    return ", ".join([OPTIMIZERS[train.optimizer], *(words for words, there in further.items() if there)])


def _over_full_batch(found: Mapping[tuple[int, str], Sequence[Arm]]) -> dict[int, dict[str, dict[int, Estimate]]]:
    """By dimension and optimizer: tau_mem of batches over that of all points at once, DDIM, at each n that tells.

    Means over the seeds that batches have; a lower bound where they come to copy within none of their runs.
    """
    ratios: dict[int, dict[str, dict[int, Estimate]]] = {}
    for (d, sampler), made in found.items():
        by_label = {arm.label: arm for arm in made if sampler == "DDIM"}
        for name in OPTIMIZERS.values():
            full, small = by_label.get(name), by_label.get(f"{name}, batch {BATCH}")
            if full is None or small is None:
                continue
            seeds = {run.config.train.seed for run in small.runs}
            late, early = small.mean_times("tau_mem", seeds), full.mean_times("tau_mem", seeds)
            bounds = {n: e.low for n, e in zip(small.sizes, small.times("tau_mem"), strict=True) if n not in late}
            both = {n: Estimate(late[n] / early[n], None, None, "found", "ratio") for n in early if n in late}
            both |= {
                n: Estimate(None, low / early[n], None, "not_reached", "ratio")
                for n, low in bounds.items()
                if low is not None and n in early
            }
            ratios.setdefault(d, {})[name] = dict(sorted(both.items()))
    return ratios


def _ratio_words(name: str, ratios: Mapping[int, Estimate]) -> str:
    return f"{', '.join(f'{ratio} (n = {n})' for n, ratio in ratios.items()) or 'unknown'} by {name}"


def fresh_floors(
    dimensions: Sequence[int] = FLOOR_DIMENSIONS, train: int = FLOOR_TRAIN, points: int = FLOOR_POINTS
) -> dict[int, Estimate]:
    """The share of fresh points that count as copies of `train` others, for each dimension."""

    def drawn(d: int, n: int, part: str) -> Any:
        return draw_points("mixture", d, n, lambda block: keyed_generator("floor", part, block)).points

    return {
        d: memorized_fraction(drawn(d, points, "fresh"), TrainingSet(drawn(d, train, "train"))).fraction
        for d in dimensions
    }


def _laws(found: dict[tuple[int, str], list[Arm]], sampler: str) -> str:
    return "; ".join(
        f"{law_words(arm.law)} (d = {d}, {arm.label})"
        for (d, name), made in found.items()
        if name == sampler
        for arm in made
    )


def _later(runs: Sequence[RunResult]) -> dict[int, list[Arm]]:
    """The arms of DDIM with tau_mem read at a larger share of copies."""

    def read(run: RunResult) -> RunResult:
        if not run.curves_named("f_mem") or "floor" not in run.estimates:
            return run
        time = tau_mem(run.curve("f_mem"), run.estimates["floor"], eps=LATER)
        return dataclasses.replace(run, estimates={**run.estimates, "tau_mem": time})

    found: dict[int, list[RunResult]] = {}
    for run in runs:
        found.setdefault(run.config.data.dimension, []).append(read(run))
    return {d: arms(found[d], _label) for d in sorted(found)}


def _later_laws(runs: Sequence[RunResult]) -> str:
    return "; ".join(
        f"{law_words(arm.law)} (d = {d}, {arm.label}, {len(arm.law.n)} of {len(arm.runs)} runs)"
        for d, made in _later(runs).items()
        for arm in made
    )


def _last_slopes(found: dict[tuple[int, str], list[Arm]]) -> str:
    words = []
    for (d, sampler), made in found.items():
        for arm in made:
            words.append(f"{exponent_words(arm.last_slope)} (d = {d}, {arm.label}, {sampler})")
    return "; ".join(words)


def _floor_words(floors: dict[int, Estimate]) -> str:
    return ", ".join(f"{estimate} (d = {d})" for d, estimate in floors.items())


def _panels(found: dict[tuple[int, str], list[Arm]], floors: dict[int, Estimate], errors: ScoreErrors) -> list[Panel]:
    dimensions = sorted({d for d, _ in found})
    first = found[dimensions[0], "DDIM"][0]
    colours = size_colours(first.sizes)
    copies = {run.n: Line(f"n = {run.n}", run.curve("f_mem"), colours[run.n]) for run in first.runs}
    steps = "training steps τ"
    panels = [
        Panel(
            f"copies, d = {dimensions[0]}, {first.label}, DDIM",
            steps,
            "f_mem",
            list(copies.values()),
            shares=True,
            top=0.5,
        )
    ]
    for d in dimensions:
        times = []
        for sampler, marker in MARKERS.items():
            made = [arm for arm in found[d, sampler] if arm.label in OPTIMIZERS.values()]
            for arm, colour in zip(made, ordered_colours(len(made), "plasma", 0.05, 0.65), strict=True):
                law = arm.law if sampler == "DDIM" else None
                label = f"{arm.label}, {sampler}"
                times.append(Times(label, arm.sizes, arm.times("tau_mem"), colour, marker, law))
        panels.append(Panel(f"time to copying, d = {d}", "training points n", steps, times, guide=1.0))
    beside = {arm.label: arm for arm in found[dimensions[0], "DDIM"] if "width" not in arm.label}
    if len(beside) > len(OPTIMIZERS):
        times = [
            Times(label, arm.sizes, arm.times("tau_mem"), colour, marker, arm.law)
            for (label, arm), colour, marker in zip(
                beside.items(), ordered_colours(len(beside), "plasma", 0.05, 0.8), "DosX"[: len(beside)], strict=True
            )
        ]
        title = f"all points at once, batches of {BATCH}, d = {dimensions[0]}"
        panels.append(Panel(title, "training points n", steps, times, guide=1.0))
    for d in dimensions:
        widths = _sgd_by_width(found[d, "DDPM"])
        colours = size_colours(list(widths))
        times = [
            Times(f"width {width}", arm.sizes, arm.times("tau_mem"), colours[width], marker, arm.law)
            for (width, arm), marker in zip(widths.items(), "Dos"[: len(widths)], strict=True)
        ]
        if len(times) > 1:
            panels.append(
                Panel(f"networks of several widths, d = {d}, SGD", "training points n", steps, times, guide=1.0)
            )
    if errors.lines:
        title = f"error to both scores, t = {errors.t:g}"
        panels.append(Panel(title, steps, "squared error of the score", list(errors.lines)))
    seen = {d: estimate for d, estimate in floors.items() if estimate.value}
    d_axis = np.array(list(floors), dtype=float)
    panels.append(
        Panel(
            "fresh points called copies",
            "dimension d",
            "share",
            [
                Line("3^-d", Curve("floor", d_axis, 3.0**-d_axis), MUTED, dashed=True),
                Times("measured", list(seen), list(seen.values()), COPY),
            ],
        )
    )
    return panels


def _sgd_by_width(made: Sequence[Arm]) -> dict[int, Arm]:
    """The arms of SGD with all points at once, by the width of their networks."""
    chosen = [arm for arm in made if arm.label.startswith(OPTIMIZERS["sgd"]) and "batch" not in arm.label]
    return dict(sorted((arm.runs[0].config.net.width, arm) for arm in chosen))


EXPERIMENT = Experiment(
    "mixture",
    "Gaussian mixtures: the same law where the score is known",
    "a residual MLP on Gaussian mixtures copies at a time proportional to n, by DDPM and by DDIM, with SGD and with "
    "Adam (appendix B of arXiv 2505.17638).",
    configs,
    analyse,
)
