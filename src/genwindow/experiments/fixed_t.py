"""`fixed-t`: one model for each diffusion time, as in the theory (section 3 of arXiv 2505.17638)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from genwindow.experiments.arms import Arm, arms, law_words, slopes_words
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, mixture_mlp, smoke_points
from genwindow.report import Line, Panel, Times, ordered_colours, panels_figure, size_colours
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunConfig, RunResult

TIMES = (50, 100, 200)
"""Steps of the linear schedule, with noise levels 0.17, 0.32 and 0.58."""

MARKERS = ("o", "D", "s", "^")


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every diffusion time at every n; nothing is sampled, since a model of one time cannot generate."""
    if scale == "smoke":
        made = [smoke_points(n) for n in (16, 32)]
    elif scale == "cpu":
        made = [mixture_mlp(n, steps=30 * n) for n in (64, 128, 256, 512)]
    else:
        sizes = (64, 128, 256, 512, 1024, 2048, 4096)
        made = [mixture_mlp(n, steps=200 * n, dimension=d, seed=s) for d in (8, 32) for n in sizes for s in range(3)]
    return [_at(config, t) for t in (TIMES if scale != "smoke" else TIMES[:2]) for config in made]


def _at(config: RunConfig, t: int) -> RunConfig:
    measure = dataclasses.replace(
        config.measure,
        samples=0,
        loss_times=(t / 1000,),
        loss_draws=8,
        loss_images=256,
        first=min(config.measure.first, 100),
    )
    return dataclasses.replace(config, train=dataclasses.replace(config.train, fixed_t=float(t)), measure=measure)


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The law of tau_mem, read from the loss split at the model's own diffusion time."""
    several = len({run.config.data.dimension for run in runs}) > 1
    read = [_by_loss(run) for run in runs]
    found = arms(
        read, lambda r: f"t = {r.config.train.fixed_t:g}" + (f", d = {r.config.data.dimension}" if several else "")
    )
    sentences = (
        "Read from the loss split at its own diffusion time, tau_mem grows as n to the power "
        + "; ".join(f"{law_words(arm.law)} ({arm.label})" for arm in found)
        + ".",
        "Local slopes between neighbouring sizes: "
        + "; ".join(f"{slopes_words(arm.law.local_slopes.tolist())} ({arm.label})" for arm in found)
        + ".",
        "tau_gen from the held-out loss: "
        + "; ".join(f"{', '.join(str(e) for e in arm.times('tau_gen'))} ({arm.label})" for arm in found)
        + ".",
    )
    caption = (
        "Training (dashed) and held-out loss at one diffusion time, one line for each n; time of the loss split "
        "against n for every diffusion time, with its law; time at which the held-out loss has made 90 % of its best "
        "gain; errors to the exact score (solid) and to the empirical score (dashed) along training."
    )
    return Finding(
        {"arms": {arm.label: arm.summary() for arm in found}}, sentences, panels_figure(_panels(found)), caption
    )


def _by_loss(run: RunResult) -> RunResult:
    """The run with the times that its losses tell in place of those of samples, which it has not."""
    times = {name: run.estimates.get(f"{name}_loss", UNKNOWN) for name in ("tau_gen", "tau_mem")}
    return dataclasses.replace(run, estimates={**run.estimates, **times})


def _panels(found: Sequence[Arm]) -> list[Panel]:
    steps = "training steps τ"
    shown = found[len(found) // 2]
    by_size = size_colours(shown.sizes)
    losses, errors = [], []
    for run in {run.n: run for run in shown.runs}.values():
        losses.append(Line(f"n = {run.n}", run.curve("heldout_loss"), by_size[run.n]))
        losses.append(Line("", run.curve("train_loss"), by_size[run.n], dashed=True))
        errors.append(Line(f"n = {run.n}", run.curve("score_error:population"), by_size[run.n]))
        errors.append(Line("", run.curve("score_error:empirical"), by_size[run.n], dashed=True))
    colours = ordered_colours(len(found), "plasma", 0.05, 0.75)
    series = {
        name: [
            Times(arm.label, arm.sizes, arm.times(name), colour, MARKERS[i % 4], arm.law if name == "tau_mem" else None)
            for i, (arm, colour) in enumerate(zip(found, colours, strict=True))
        ]
        for name in ("tau_mem", "tau_gen")
    }
    return [
        Panel(f"held-out and training loss, {shown.label}", steps, "denoising loss", losses),
        Panel("time of the loss split", "training points n", steps, series["tau_mem"], guide=1.0),
        Panel("time to 90 % of the held-out gain", "training points n", steps, series["tau_gen"]),
        Panel(f"error to both scores, {shown.label}", steps, "squared error of the score", errors),
    ]


EXPERIMENT = Experiment(
    "fixed-t",
    "One model for each diffusion time",
    "at every diffusion time a model trained there alone copies at a time proportional to n (section 3 of arXiv "
    "2505.17638, where the theory has one diffusion time).",
    configs,
    analyse,
)
