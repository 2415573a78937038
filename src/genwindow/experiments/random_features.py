"""`random-features`: the random-features score model trained for real, the theory on the same axes.

After Bonnaire et al., arXiv 2505.17638, Fig. 5 and 6. For each number of samples per dimension, gradient descent and
Adam on fresh noise, the closed form of the same draw, and the limit of many dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from scipy import stats

from genwindow.analysis import PowerLaw, fit_power_law, tau_gen_from_loss, tau_mem_from_loss
from genwindow.curve import Curve, Estimate, short
from genwindow.experiments.arms import exponent_words, law_words, slopes_words, spread_words
from genwindow.experiments.experiment import Finding
from genwindow.experiments.features import FeaturesSettings, run_features
from genwindow.experiments.settings import Scale
from genwindow.experiments.study import Case, Outcome, Study
from genwindow.report import FeaturesAtSize, Tile, features_figure

WAYS = ("theory", "closed", "descent", "adam")
SPLIT = 0.1
"""tau_mem: (test - training loss)/test loss has grown by this."""


def settings(scale: Scale) -> Sequence[FeaturesSettings]:
    """Every psi_n with several draws of data, features and noise; longer training for more samples.

    The step is in proportion to psi_n, so that the noise of the gradient, as step/psi_n, is the same at all.
    """
    if scale == "smoke":
        return [FeaturesSettings(d=10, psi_p=4.0, psi_n=n, t=0.1, steps=60, step=0.5) for n in (1.0, 2.0, 4.0)]
    if scale == "cpu":
        lengths = {4.0: 1600, 8.0: 2800, 16.0: 3200, 32.0: 3200}
        return [
            FeaturesSettings(d=32, psi_p=64.0, psi_n=n, t=0.1, steps=steps, step=n / 32, adam_lr=0.02, seed=seed)
            for n, steps in lengths.items()
            for seed in range(3)
        ]
    lengths = {2.0: 12_800, 4.0: 24_000, 8.0: 32_000, 16.0: 32_000, 32.0: 40_000, 64.0: 50_000}
    return [
        FeaturesSettings(d=100, psi_p=64.0, psi_n=n, steps=steps, step=n / 8, adam_lr=0.005, seed=seed, device="auto")
        for n, steps in lengths.items()
        for seed in range(5)
    ]


def compute(given: FeaturesSettings) -> dict[str, Any]:
    """Curves and times of the four ways."""
    found = run_features(given)
    ways = {}
    for name in WAYS:
        curves = getattr(found, name)
        ways[name] = {
            "train": curves.train.to_json(),
            "test": curves.test.to_json(),
            "tau_gen": tau_gen_from_loss(curves.test).to_json(),
            "tau_mem": tau_mem_from_loss(curves.train, curves.test, split=SPLIT).to_json(),
        }
    return {"n": max(1, round(given.psi_n * given.d)), "ways": ways, "bound": found.bound}


def analyse(cases: Sequence[Case]) -> Outcome:
    """Distances from the theory, and the law of tau_mem."""
    groups = {n: list(part) for n, part in groupby(cases, key=lambda case: float(case.settings.psi_n))}
    laws = {way: _law(cases, way) for way in WAYS}
    lines = {way: _line(cases, way) for way in WAYS}
    away = {n: _distances(part) for n, part in groups.items()}
    gen = {way: [e.value for e in _times(cases, way, "tau_gen") if e.value is not None] for way in WAYS}
    tau = {way: _line_words(lines[way]) for way in WAYS}
    power = {way: law_words(laws[way], "psi_n") for way in WAYS}
    sentences = (
        f"tau_mem grows as psi_n to the power {power['descent']} by gradient descent and "
        f"{power['adam']} by Adam; in the theory at the same psi_n, psi_p and steps it is "
        f"{power['theory']}, in the closed form of the same draws "
        f"{power['closed']}.",
        f"A straight line of tau_mem against psi_n has the slope {tau['descent']} by gradient descent, "
        f"{tau['theory']} in the theory, and {tau['adam']} by Adam (steps).",
        f"Local slopes of log tau_mem: {_slopes(laws['descent'])} (gradient descent); {_slopes(laws['adam'])} (Adam); "
        f"{_slopes(laws['theory'])} (theory).",
        f"tau_gen stays within {spread_words(gen['descent'])} by gradient descent, {spread_words(gen['adam'])} by Adam."
        if gen["descent"] and gen["adam"]
        else "tau_gen was not reached.",
        f"Largest distance of losses trained by gradient descent from the theory, training and test, mean over draws: "
        f"{_distance_words(away, 'descent')}.",
        f"The closed form of the same draws, with finite d but no gradient noise: {_distance_words(away, 'closed')}.",
        f"Trained weights from that closed form, gradient noise alone: {_distance_words(away, 'noise')}.",
    )  # fmt: skip
    summary = {
        "exponent": {way: law.exponent.to_json() for way, law in laws.items()},
        "local_slopes": {way: law.local_slopes.tolist() for way, law in laws.items()},
        "line": {way: None if line is None else asdict(line) for way, line in lines.items()},
        "distance_from_theory": {f"{n:g}": found for n, found in away.items()},
        "runs": [
            {"psi_n": case.settings.psi_n, "seed": case.settings.seed,
             **{way: {k: case.result["ways"][way][k] for k in ("tau_gen", "tau_mem")} for way in WAYS}}
            for case in cases
        ],
    }  # fmt: skip
    caption = (
        "Above: test (full) and training loss (hollow) of trained networks, one colour for each number of samples per "
        "dimension; lines are the limit theory. Below: when the test loss has made 90 % of its gain and when losses "
        "have split, for every draw; lines are the theory, crosses the closed form of the same draws at this d."
    )
    finding = Finding(summary, sentences, features_figure([_at(n, part) for n, part in groups.items()]), caption)
    return Outcome(finding, tuple(_row(n, part, away[n]) for n, part in groups.items()), _tiles(laws, lines))


def _times(cases: Sequence[Case], way: str, name: str) -> list[Estimate]:
    return [Estimate.from_json(case.result["ways"][way][name]) for case in cases]


def _losses(case: Case, way: str) -> tuple[Curve, Curve]:
    found = case.result["ways"][way]
    return Curve.from_json(found["train"]), Curve.from_json(found["test"])


def _law(cases: Sequence[Case], way: str) -> PowerLaw:
    """Of tau_mem."""
    kept = _draws(cases, way)
    return fit_power_law([c.settings.psi_n for c in kept], _times(kept, way, "tau_mem"))


def _draws(cases: Sequence[Case], way: str) -> list[Case]:
    """The cases that count: the theory has no draws, so each psi_n counts once there."""
    return [c for c in cases if way != "theory" or c.settings.seed == min(o.settings.seed for o in cases)]


@dataclass(frozen=True)
class StraightLine:
    """Least squares of tau_mem against psi_n.

    Attributes:
        slope: with `low` and `high`, its 95 % interval over draws and sizes.
        low: of the slope.
        high: of the slope.
        start: the psi_n at which the line is 0.
        r2: share of the variance of tau_mem that the line explains.
    """

    slope: float
    low: float
    high: float
    start: float
    r2: float

    def __str__(self) -> str:
        return f"{short(self.slope)} [{short(self.low)}, {short(self.high)}]"


def _line(cases: Sequence[Case], way: str) -> StraightLine | None:
    """The line through the times of one way; None for fewer than three sizes with a time."""
    kept = _draws(cases, way)
    known = [(c.settings.psi_n, e.value) for c, e in zip(kept, _times(kept, way, "tau_mem"), strict=True) if e.value]
    if len({n for n, _ in known}) < 3:
        return None
    x, y = np.array(known).T
    fit = stats.linregress(x, y)
    slope, reach = float(fit.slope), float(stats.t.ppf(0.975, len(x) - 2) * fit.stderr)
    return StraightLine(slope, slope - reach, slope + reach, -float(fit.intercept) / slope, float(fit.rvalue) ** 2)


def _line_words(line: StraightLine | None) -> str:
    return "unknown" if line is None else f"{line} from psi_n = {line.start:.1f} on, r2 = {line.r2:.3f}"


def _slopes(law: PowerLaw) -> str:
    return slopes_words(law.local_slopes.tolist())


def _distances(cases: Sequence[Case]) -> dict[str, list[float]]:
    """Largest distances along training, training and test loss, mean over draws."""
    pairs = {"descent": ("descent", "theory"), "closed": ("closed", "theory"), "noise": ("descent", "closed")}
    found = {}
    for name, (one, other) in pairs.items():
        each = [
            [float(np.abs(a.value - b.value).max()) for a, b in zip(_losses(c, one), _losses(c, other), strict=True)]
            for c in cases
        ]
        found[name] = np.mean(each, axis=0).tolist()
    return found


def _distance_words(away: Mapping[float, Mapping[str, list[float]]], name: str) -> str:
    return "; ".join(f"{found[name][0]:.2g}, {found[name][1]:.2g} (psi_n = {n:g})" for n, found in away.items())


def _at(psi_n: float, cases: Sequence[Case]) -> FeaturesAtSize:
    return FeaturesAtSize(
        psi_n,
        {way: _losses(cases[0], way) for way in WAYS},
        {way: _times(cases, way, "tau_gen") for way in WAYS},
        {way: _times(cases, way, "tau_mem") for way in WAYS},
    )


def _row(psi_n: float, cases: Sequence[Case], away: Mapping[str, list[float]]) -> dict[str, str]:
    def words(way: str, name: str) -> str:
        return ", ".join(short(e.value) if e.value is not None else str(e) for e in _times(cases, way, name))

    theory = [str(e) for e in (_times(cases[:1], "theory", name)[0] for name in ("tau_gen", "tau_mem"))]
    return {
        "samples": f"psi_n = {psi_n:g}",
        "tau_gen, descent": words("descent", "tau_gen"),
        "tau_gen, theory": theory[0].partition(" [")[0],
        "tau_mem, descent": words("descent", "tau_mem"),
        "tau_mem, theory": theory[1].partition(" [")[0],
        "tau_mem, Adam": words("adam", "tau_mem"),
        "from the theory": f"{max(away['descent']):.2g}",
        "closed form": f"{max(away['closed']):.2g}",
    }


def _tiles(laws: Mapping[str, PowerLaw], lines: Mapping[str, StraightLine | None]) -> tuple[Tile, ...]:
    names = {"descent": "gradient descent", "theory": "limit theory", "adam": "Adam"}
    return tuple(
        Tile(f"tau_mem against psi_n, {name}", exponent_words(laws[way].exponent).partition(" [")[0],
             f"power of psi_n; a line rises by {lines[way] or 'unknown'} for each", "copy")
        for way, name in names.items()
    )  # fmt: skip


STUDY = Study(
    "random-features",
    "Trained random features follow the theory",
    "gradient descent on the random-features score model follows the limit curves, tau_mem grows linearly with psi_n "
    "while tau_gen does not, and Adam shows the same (Fig. 5 and 6 of arXiv 2505.17638).",
    settings,
    compute,
    analyse,
    (
        "The theory is for many dimensions. What separates the closed form from it is the finite d; what separates "
        "trained weights from the closed form is the noise of the gradient, in proportion to the step.",
        "tau_mem proportional to psi_n is the limit of 1 much below psi_n much below psi_p. At these sizes the theory "
        "itself is steeper, so the theory at the same sizes is what to compare with, not the power 1.",
        "Adam has its own clock: its times are steps and depend on its learning rate; no theory of it is drawn.",
    ),
)
