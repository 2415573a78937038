"""`forecast`: the forecast against the truth: small pilots, and the large runs they forecast, trained for real.

Three kinds of run, all images at every step, with sets of pilots of three sizes up to 64 and two seeds, of the training
set too: small sizes whose window is open. Every run ends as soon as tau_mem is known, and pilots are measured often, so
that they do not go on for long. Each set is held against every large run of its kind.

The order in which the sets were made matters for what they prove. The prior of the exponent was worked out on seeds 0
to 3, where pilots with closed windows (the mixture by a wider network) had led to forecasts five times too early. The
odds of the two lines (three to one for the bent one) were set after the runs of seeds 4 to 7, but for the U-Net's
smaller pilots and its run with 1024. The last set of each kind was fixed after that, before its runs, with seeds not
seen before for pilots and large runs alike. The U-Net's has smaller pilots, since those before it cost more than 30 %
of the steps of the run with 1024.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from genwindow.analysis.expectation import Expectation
from genwindow.curve import Estimate
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.forecast_truth import Trial, against_truth, counted
from genwindow.experiments.settings import Scale, faces, smoke
from genwindow.report import forecasts_figure
from genwindow.runs import (
    DataSettings,
    DiffusionSettings,
    Enough,
    MeasureSettings,
    NetSettings,
    RunConfig,
    RunResult,
    TrainSettings,
)

TARGETS = (512, 1024)

Truth = list[tuple[float, Estimate]]


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every set of pilots, and the large runs; the U-Net with 1024 images takes two hours on two cores."""
    if scale == "smoke":
        return [smoke(n, batch=0) for n in (6, 8, 12, 24)]
    if scale == "paper":
        return [faces(n) for n in (512, 1024, 2048, 8192, 16_384)]
    return [config for pilots in SETS for config in pilots.configs()]


def forecast_digits(n: int, seed: int, *, per_octave: float = 16, samples: int = 4000) -> RunConfig:
    """Digits by the residual MLP, all images at every step."""
    return RunConfig(
        data=DataSettings("digits", n, seed=seed),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="mlp", width=256, blocks=3),
        train=TrainSettings(steps=1000 + 60 * n, lr=5e-4, batch=0, ema=0.99, seed=seed),
        measure=MeasureSettings(first=10, per_octave=per_octave, samples=samples),
    )


def forecast_mixture(n: int, seed: int) -> RunConfig:
    """Two Gaussians in 8 dimensions by a narrower residual MLP, all points at every step."""
    return RunConfig(
        data=DataSettings("mixture", n, dimension=8, seed=seed),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="mlp", width=64, blocks=3),
        train=TrainSettings(steps=1000 + 200 * n, lr=6e-4, batch=0, ema=0.99, seed=seed),
        measure=MeasureSettings(first=20, per_octave=6, samples=4000),
    )


def forecast_digits_unet(
    n: int, seed: int, *, first: int = 100, per_octave: float = 8, samples: int = 1000
) -> RunConfig:
    """Digits by the U-Net of base width 8, all images at every step; sampling takes long, so large runs do it less."""
    if n in TARGETS:
        first, per_octave, samples = 50, 4, 1000
    return RunConfig(
        data=DataSettings("digits", n, seed=seed),
        diffusion=DiffusionSettings(prediction="data"),
        net=NetSettings(kind="unet", width=8),
        train=TrainSettings(steps=1000 + 60 * n, lr=1e-3, batch=0, ema=0.99, seed=seed),
        measure=MeasureSettings(first=first, per_octave=per_octave, samples=samples, sampler_steps=20),
    )


Kind = Callable[[int, int], RunConfig]


@dataclass(frozen=True)
class PilotSet:
    """Pilots that make one forecast, and the runs made beside them to hold it against.

    Attributes:
        made: a run by n and seed.
        sizes: n of the pilots.
        seeds: of the pilots, an even number and the next: sets of a kind are told apart by them.
        large: n and seed of each large run.
        fresh: whether it was fixed after everything else, the odds of the lines among it.
    """

    made: Kind
    sizes: tuple[int, ...]
    seeds: tuple[int, int]
    large: tuple[tuple[int, int], ...]
    fresh: bool = False

    def configs(self) -> list[RunConfig]:
        """Its runs."""
        return [self.made(n, seed) for n, seed in (*((n, s) for n in self.sizes for s in self.seeds), *self.large)]


def _both(seed: int) -> tuple[tuple[int, int], ...]:
    return tuple((n, seed) for n in TARGETS)


SETS = (
    PilotSet(partial(forecast_digits, per_octave=8, samples=2000), (16, 32, 64), (4, 5), _both(4)),
    PilotSet(forecast_digits, (12, 24, 48), (6, 7), _both(6)),
    PilotSet(forecast_digits, (12, 24, 48), (8, 9), _both(8), fresh=True),
    PilotSet(forecast_mixture, (32, 48, 64), (4, 5), _both(4)),
    PilotSet(forecast_mixture, (32, 48, 64), (6, 7), ((512, 6),), fresh=True),
    PilotSet(partial(forecast_digits_unet, first=50, per_octave=4), (16, 32, 64), (4, 5), _both(4)),
    PilotSet(forecast_digits_unet, (12, 20, 32), (6, 7), ()),
    PilotSet(
        partial(forecast_digits_unet, first=50, per_octave=12, samples=2000),
        (8, 16, 32),
        (8, 9),
        ((1024, 8),),
        fresh=True,
    ),
)


def analyse(runs: Sequence[RunResult]) -> Finding:
    """Each set of pilots by itself: what it forecasts, and what the large runs of its kind took."""
    sentences: list[str] = []
    summary: dict[str, Any] = {}
    drawn: list[tuple[str, Expectation, Truth]] = []
    all_seen: list[Trial] = []
    fresh_seen: list[Trial] = []
    both_fresh: list[Trial] = []
    new = {(_kind(one), one.train.seed) for pilots in SETS if pilots.fresh for one in pilots.configs()}
    for kind in dict.fromkeys(_kind(run.config) for run in runs):
        mine = [run for run in runs if _kind(run.config) == kind]
        border = _border(mine)
        large = sorted((run for run in mine if run.n > border), key=lambda run: (run.n, run.config.train.seed))
        sets: dict[object, list[RunResult]] = {}
        for run in mine:
            if run.n <= border:
                sets.setdefault(_set(run), []).append(run)
        for pilots in sets.values():
            name = _named(kind, pilots)
            said, summary[name], found, seen = against_truth(name, pilots, large)
            sentences += said
            all_seen += seen
            if all((kind, run.config.train.seed) in new for run in pilots):
                fresh_seen += seen
                both_fresh += [one for one in seen if (kind, one.seed) in new]
            if found is not None:
                title = name.replace(", pilots", "\npilots")
                drawn.append((title, found, [(float(one.n), one.truth) for one in seen]))
    sentences = [
        *counted("All comparisons", all_seen),
        *counted("Pilots with seeds not seen before the forecast was fixed", fresh_seen),
        *counted("Of these, against large runs with new seeds too", both_fresh),
        *sentences,
    ]
    return Finding(
        {"kinds": summary}, tuple(sentences), forecasts_figure(drawn),
        "Pilots (diamonds), their forecast with its 90 % interval, and runs trained for real (circles).",
    )  # fmt: skip


def _kind(config: RunConfig) -> str:
    network = {"mlp": "residual MLP", "unet": "U-Net"}[config.net.kind]
    return f"{config.data.source.rpartition('/')[2]}, {network}"


def _set(pilot: RunResult) -> object:
    """What pilots of one set have in common: how they are measured, and the pair of seeds."""
    return pilot.config.measure, pilot.config.train.seed // 2


def _named(kind: str, pilots: Sequence[RunResult]) -> str:
    sizes = ", ".join(str(n) for n in sorted({run.n for run in pilots}))
    seeds = sorted({run.config.train.seed for run in pilots})
    return f"{kind}, pilots n = {sizes}, seed{'s' if len(seeds) > 1 else ''} {' and '.join(map(str, seeds))}"


def _border(runs: Sequence[RunResult]) -> int:
    """The largest pilot: the largest gap between neighbouring sizes lies above it."""
    sizes = sorted({run.n for run in runs})
    return max(zip(sizes, sizes[1:], strict=False), key=lambda pair: (pair[1] / pair[0], pair[1]))[0]


EXPERIMENT = Experiment(
    "forecast",
    "The forecast against the truth",
    "pilots of at most 64 images forecast when copying begins with 512 and 1024, for less than a third of the steps "
    "(genwindow's own claim, not the paper's).",
    configs,
    analyse,
    Enough(),
)
