"""`heavy-tails`: points that are not white and not Gaussian (asked for in the reviews of arXiv 2505.17638).

White Gaussian points, Gaussian points of power-law covariance, and heavy-tailed points, by one residual MLP. White
points are what sampling starts from: no sample is better than pure noise there, so tau_gen is read from the held-out
loss in every arm. Networks predict the noise, which is Gaussian whatever the points: errors of predicted data have
heavy tails here, and single points would throw the weights about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from genwindow.curve import Estimate
from genwindow.experiments.arms import Arm, arms, compare_arms, of_seeds
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, mixture_mlp, smoke_points
from genwindow.report.window import UNKNOWN
from genwindow.runs import DiffusionSettings, RunConfig, RunResult

LAWS: dict[tuple[str, float], str] = {
    ("power-law", 0.0): "white Gaussian",
    ("power-law", 1.0): "power-law covariance",
    ("heavy-tails", 3.0): "heavy tails",
}
"""Law and parameter of each arm: exponent of the eigenvalues, or index of the tail."""


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every law at every n, with the network and optimizer of the mixtures, predicting the noise."""
    if scale == "smoke":
        made = [smoke_points(n) for n in (16, 32)]
    elif scale == "cpu":
        made = [mixture_mlp(n, steps=max(3000, 40 * n), samples=1000) for n in (32, 64, 128, 256)]
    else:
        sizes = (64, 128, 256, 512, 1024, 2048, 4096)
        made = [
            mixture_mlp(n, steps=200 * n, dimension=d, samples=10_000, seed=seed)
            for d in (8, 32)
            for n in sizes
            for seed in range(3)
        ]
    return [
        dataclasses.replace(
            config,
            data=dataclasses.replace(config.data, source=source, parameter=parameter),
            diffusion=DiffusionSettings(prediction="noise"),
        )
        for source, parameter in LAWS
        for config in made
    ]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The law of tau_mem for every kind of points, and both times as numbers."""
    several = len({run.config.data.dimension for run in runs}) > 1

    def label(run: RunResult) -> str:
        dimension = f", d = {run.config.data.dimension}" if several else ""
        return LAWS[run.config.data.source, run.config.data.parameter or 0.0] + dimension

    found = arms([_by_loss(run) for run in runs], label)
    compared = compare_arms(found, "tau_mem grows as n to the power")
    words = tuple(
        f"{arm.label}: tau_gen (held-out loss) {_plain(arm, 'tau_gen')}; tau_mem {_plain(arm, 'tau_mem')}; floor "
        f"{_plain(arm, 'floor')} (n = {', '.join(map(str, dict.fromkeys(arm.sizes)))})."
        for arm in found
    )
    return dataclasses.replace(compared, sentences=(*compared.sentences, *words))


def _plain(arm: Arm, name: str) -> str:
    """An estimate for each n, its median over seeds."""
    by_size: dict[int, list[Estimate]] = {}
    for n, estimate in zip(arm.sizes, arm.times(name), strict=True):
        by_size.setdefault(n, []).append(estimate)
    return ", ".join(str(of_seeds(found)).partition(" [")[0] for found in by_size.values())


def _by_loss(run: RunResult) -> RunResult:
    """The run with tau_gen as the held-out loss tells it."""
    return dataclasses.replace(run, estimates={**run.estimates, "tau_gen": run.estimates.get("tau_gen_loss", UNKNOWN)})


EXPERIMENT = Experiment(
    "heavy-tails",
    "Points with power-law covariance and with heavy tails",
    "the two times are not a matter of white Gaussian data: tau_mem grows with n for points of power-law covariance "
    "and for heavy-tailed points as well (reviews of arXiv 2505.17638).",
    configs,
    analyse,
)
