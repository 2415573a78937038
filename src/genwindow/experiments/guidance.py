"""`guidance`: conditional models with classifier-free guidance (appendix B of arXiv 2505.17638), class by class."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from genwindow.curve import Estimate
from genwindow.data.classes import classes_in_shares
from genwindow.experiments.arms import Arm, arms, law_words, of_seeds, place_of, slopes_words
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, mixture_mlp, smoke, smoke_points
from genwindow.experiments.variants import seen_by
from genwindow.report import Line, Panel, Times, ordered_colours, panels_figure
from genwindow.report.palette import COPY, GENERATE, INK
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunConfig, RunResult

WEIGHTS = (1.0, 3.0)
DROPOUT = 0.1
EQUAL, UNEQUAL = "equal classes", "4 : 1 classes"
SHARES: Mapping[str, tuple[tuple[str, tuple[float, ...]], ...]] = {
    "mixture": ((EQUAL, (1.0, 1.0)), (UNEQUAL, (4.0, 1.0))),
    "digits": ((EQUAL, (1.0,) * 10), (UNEQUAL, (4.0,) * 5 + (1.0,) * 5)),
}


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Both data sets with equal and with unequal classes, at every n; digits with unequal ones at the paper scale."""
    if scale == "smoke":
        plain = {"mixture": [smoke_points(n) for n in (20, 40)], "digits": [smoke(20)]}
    elif scale == "cpu":
        plain = {
            "mixture": [mixture_mlp(n, steps=60 * n, samples=1000, seed=s) for n in (64, 128, 256) for s in range(3)],
            "digits": [_samples(digits_mlp(n, steps=60 * n), 1000) for n in (64, 128, 256)],
        }
    else:
        sizes = (64, 128, 256, 512, 1024, 2048)
        plain = {
            "mixture": [mixture_mlp(n, steps=200 * n, samples=10_000, seed=s) for n in sizes for s in range(3)],
            "digits": [_samples(digits_mlp(n, steps=400 * n, seed=s), 10_000) for n in sizes[:4] for s in range(3)],
        }
    return [
        _conditional(config, shares)
        for source, made in plain.items()
        for name, shares in SHARES[source]
        if scale == "paper" or source == "mixture" or name == EQUAL
        for config in made
    ]


def _samples(config: RunConfig, count: int) -> RunConfig:
    """With more samples, since ten classes share them."""
    return dataclasses.replace(config, measure=dataclasses.replace(config.measure, samples=count))


def _conditional(config: RunConfig, shares: tuple[float, ...]) -> RunConfig:
    return dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, class_weights=shares),
        net=dataclasses.replace(config.net, conditional=True),
        train=dataclasses.replace(config.train, label_dropout=DROPOUT),
        measure=dataclasses.replace(config.measure, guidance=WEIGHTS),
    )


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The law of tau_mem at every weight, and tau_mem of every class against its own number of images."""
    by_weight = {
        "w = 0": arms(runs, _group),
        **{f"w = {w:g}": arms([seen_by(run, f"w={w:g}") for run in runs], _group) for w in WEIGHTS},
    }
    classes = {arm.label: _classes(arm.runs) for arm in by_weight["w = 0"]}
    sentences = [
        f"{group}: tau_mem grows as n to the power "
        + "; ".join(
            f"{law_words(arm.law)} (w = {name[4:]}, local slopes {slopes_words(arm.law.local_slopes.tolist())})"
            for name, arm in _of_group(by_weight, group).items()
        )
        + "."
        for group in classes
    ]
    sentences += [f"{group}, steps to copying by class: {_class_words(found)}." for group, found in classes.items()]
    sentences += [f"{group}, at the end of the largest n: {_end_words(by_weight, group)}." for group in classes]
    summary: dict[str, Any] = {
        "weights": {name: {arm.label: arm.summary() for arm in found} for name, found in by_weight.items()},
        "classes": {
            group: [
                {"n": one.n, "class": one.label, "images": one.images, "tau_mem": one.time.to_json()} for one in found
            ]
            for group, found in classes.items()
        },
    }
    caption = (
        "Upper row: copies along training at the largest n of the mixture with equal classes, one line for each "
        "guidance weight; time to copying against n at each weight with its law, for the mixture and for digits (equal "
        "classes). Lower row: time to copying of each class against its own number of images, without guidance."
    )
    return Finding(summary, tuple(sentences), panels_figure(_panels(by_weight, classes), columns=3), caption)


@dataclasses.dataclass(frozen=True)
class _Class:
    """One class: n, its own number of training images, and when its samples become copies, the middle of seeds."""

    n: int
    label: int
    images: int
    time: Estimate


def _group(run: RunResult) -> str:
    source = run.config.data.source
    names = {shares: name for name, shares in SHARES.get(source, ())}
    return f"{source}, {names.get(run.config.data.class_weights or (), EQUAL)}"


def _of_group(by_weight: Mapping[str, Sequence[Arm]], group: str) -> dict[str, Arm]:
    return {name: arm for name, found in by_weight.items() for arm in found if arm.label == group}


def _end_words(by_weight: Mapping[str, Sequence[Arm]], group: str) -> str:
    """Share of copies and Frechet distance of the last samples at each weight, the mean over seeds."""
    words = []
    for name, arm in _of_group(by_weight, group).items():
        ends = [
            [run.curve(kind).value[-1] for kind in ("f_mem", "frechet")]
            for run in arm.runs
            if run.n == arm.runs[-1].n and run.curves_named("f_mem") and run.curves_named("frechet")
        ]
        if ends:
            copies, distance = np.mean(ends, axis=0)
            words.append(f"f_mem {copies:.1%}, Frechet distance {distance:.2g} ({name})")
    return "; ".join(words) or "no samples"


def _classes(runs: Sequence[RunResult]) -> list[_Class]:
    """The classes of runs that differ in n and seed only."""
    made = []
    for n, same in groupby(runs, key=lambda run: run.n):
        seeds = list(same)
        weights = seeds[0].config.data.class_weights or ()
        images = np.bincount(classes_in_shares(weights, n), minlength=len(weights))
        for k, count in enumerate(images.tolist()):
            times = [run.estimates.get(f"tau_mem:class={k}", UNKNOWN) for run in seeds]
            made.append(_Class(n, k, count, of_seeds(times)))
    return made


def _class_words(found: Sequence[_Class]) -> str:
    """Each class of two; of more, the middle of those that have one size."""
    if max(one.label for one in found) < 2:
        return "; ".join(
            f"{', '.join(f'{one.time} ({one.images} images)' for one in found if one.n == n)} at n = {n}"
            for n in dict.fromkeys(one.n for one in found)
        )
    words = []
    for n in dict.fromkeys(one.n for one in found):
        sizes = sorted({one.images for one in found if one.n == n}, reverse=True)
        large = [one for one in found if one.n == n and one.images > np.mean([sizes[0], sizes[-1]]) - 0.5]
        small = [one for one in found if one.n == n and one not in large]
        parts = [_middle(group) for group in (large, small) if group]
        words.append(f"{', '.join(parts)} at n = {n}")
    return "; ".join(words)


def _middle(group: Sequence[_Class]) -> str:
    """The median of a group of classes."""
    times = sorted(place_of(one.time) for one in group)
    middle = times[len(times) // 2]
    words = "before the first measurement" if middle == 0 else "not reached" if middle == math.inf else f"{middle:.0f}"
    images = f"{min(one.images for one in group)} to {max(one.images for one in group)}"
    return f"median {words} ({len(group)} classes of {images} images, {times.count(math.inf)} of them not reached)"


def _panels(by_weight: Mapping[str, Sequence[Arm]], classes: Mapping[str, Sequence[_Class]]) -> list[Panel]:
    steps = "training steps τ"
    colours = dict(zip(by_weight, ordered_colours(len(by_weight), "plasma", 0.05, 0.7), strict=True))
    markers = dict(zip(by_weight, ("D", "o", "s"), strict=True))
    mixture = _of_group(by_weight, f"mixture, {EQUAL}")
    panels = []
    if mixture:
        copies = [
            Line(name, arm.runs[-1].curve("f_mem"), colours[name])
            for name, arm in mixture.items()
            if arm.runs[-1].curves_named("f_mem")
        ]
        largest = next(iter(mixture.values())).runs[-1].n
        panels.append(Panel(f"copies, mixture, n = {largest}", steps, "f_mem", copies, shares=True, top=None))
    for source in SHARES:
        times = [
            Times(name, arm.sizes, arm.times("tau_mem"), colours[name], markers[name], arm.law)
            for name, arm in _of_group(by_weight, f"{source}, {EQUAL}").items()
        ]
        panels.append(Panel(f"time to copying, {source}", "training images n", steps, times, guide=1.0))
    looks = {EQUAL: (INK, "o"), "larger classes": (GENERATE, "s"), "smaller classes": (COPY, "D")}
    for source in SHARES:
        series: dict[str, list[_Class]] = {}
        for group, found in classes.items():
            if not group.startswith(source):
                continue
            for one in found:
                size = "larger classes" if one.images > one.n / (1 + max(o.label for o in found)) else "smaller classes"
                series.setdefault(EQUAL if group.endswith(EQUAL) else size, []).append(one)
        times = [
            Times(name, [one.images for one in found], [one.time for one in found], *looks[name])
            for name, found in series.items()
        ]
        panels.append(Panel(f"classes one by one, {source}", "images of the class", steps, times, guide=1.0))
    return panels


EXPERIMENT = Experiment(
    "guidance",
    "Guidance, and classes one by one",
    "with classifier-free guidance of any weight tau_mem is proportional to n (appendix B of arXiv 2505.17638).",
    configs,
    analyse,
)
