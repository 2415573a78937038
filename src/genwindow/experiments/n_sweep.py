"""`n-sweep`: the same network on more and more images (Fig. 2 of arXiv 2505.17638)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from genwindow.analysis import collapse
from genwindow.curve import Curve
from genwindow.data import open_images
from genwindow.experiments.arms import Arm, arms, law_words, slopes_words, spread_words
from genwindow.experiments.covariances import covariance_of_images
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_unet, faces, smoke
from genwindow.report import Line, Panel, Times, panels_figure, size_colours
from genwindow.report.palette import COPY, GENERATE
from genwindow.runs import RunConfig, RunResult
from genwindow.theory import Covariance, RandomFeatures

THEORY_FEATURES = 64.0
"""psi_p of the theory that local slopes are compared with."""


def configs(scale: Scale) -> Sequence[RunConfig]:
    """One run for each n."""
    if scale == "smoke":
        return [smoke(n) for n in (8, 16, 32)]
    if scale == "cpu":
        return [digits_unet(n, steps=max(5000, 70 * n)) for n in (32, 64, 128, 256)]
    return [faces(n) for n in (128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768)]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """Times against n, their law, the theory's local slopes at the same n/d, and the collapse."""
    (arm,) = arms(runs, lambda _: "runs")
    gen = [e.value for e in arm.times("tau_gen") if e.value is not None]
    theory = theory_slopes(arm)
    sentences = [
        f"tau_mem grows as n to the power {law_words(arm.law)}, while tau_gen stays within {spread_words(gen)}."
        if gen
        else f"tau_mem grows as n to the power {law_words(arm.law)}; no run reached tau_gen.",
        f"Local slopes of log tau_mem between neighbouring sizes: {slopes_words(arm.law.local_slopes.tolist())}.",
        *(
            f"The random-features theory at the same n/d, {name}: {slopes_words(slopes)}."
            for name, slopes in theory.items()
        ),
    ]
    f_mem = [(run, run.curve("f_mem")) for run in arm.runs if run.curves_named("f_mem")]
    scaled = collapse([curve for _, curve in f_mem], [run.n for run, _ in f_mem])
    free = arm.law.exponent.value
    summary = {
        **arm.summary(),
        "tau_gen_spread": max(gen) / min(gen) if gen else None,
        "theory_local_slopes": theory,
        "collapse_spread": {
            "n": scaled.spread,
            "none": collapse([c for _, c in f_mem], [r.n for r, _ in f_mem], exponent=0).spread,
            "fitted": None
            if free is None
            else collapse([c for _, c in f_mem], [r.n for r, _ in f_mem], exponent=free).spread,
        },
    }
    return Finding(
        summary,
        tuple(sentences),
        panels_figure(_panels(arm, scaled.curves)),
        "Above: sample quality along training, one line for each n, and the share of copies. Middle left: training "
        "(dashed) and held-out loss at one fixed diffusion time; right: copies against steps per training image, where "
        "the lines fall together if tau_mem is proportional to n. Below: the two times against n, tau_mem with its "
        "fitted law; the dotted line has slope 1, an open marker with an arrow is a bound.",
    )


def theory_slopes(arm: Arm) -> dict[str, list[float | None]]:
    """Local slopes of tau_mem of the random-features model at the n/d of the runs: white data, and the data's own."""
    data = arm.runs[0].config.data
    images = open_images(data.source, size=data.size, channels=data.channels).pixels
    d = math.prod(images.shape[1:])
    laws = {
        "white data": Covariance.isotropic(),
        "the data's covariance": covariance_of_images(images, data.source),
    }
    found: dict[str, list[float | None]] = {}
    for name, law in laws.items():
        times = [
            RandomFeatures(THEORY_FEATURES, n / d, 0.01, covariance=law).timescales().tau_mem.value for n in arm.sizes
        ]
        found[name] = [
            None if a is None or b is None else math.log(b / a) / math.log(m / n)
            for (n, a), (m, b) in pairwise(zip(arm.sizes, times, strict=True))
        ]
    return found


def _panels(arm: Arm, scaled: Sequence[Curve]) -> list[Panel]:
    colours = size_colours(arm.sizes)

    def lines(name: str, dashed: bool = False, label: bool = True) -> list[Line]:
        made = []
        for run in arm.runs:
            curves = run.curves_named(name)
            if curves:
                middle = curves[len(curves) // 2]
                made.append(Line(f"n = {run.n}" if label else "", middle, colours[run.n], dashed))
        return made

    steps = "training steps τ"
    measured = [run for run in arm.runs if run.curves_named("f_mem")]
    together = [Line("", curve, colours[run.n]) for run, curve in zip(measured, scaled, strict=True)]
    times = [
        Times("τ_gen", arm.sizes, arm.times("tau_gen"), GENERATE, "o"),
        Times("τ_mem", arm.sizes, arm.times("tau_mem"), COPY, "D", arm.law),
    ]
    losses = lines("heldout_loss", label=False) + lines("train_loss", dashed=True, label=False)
    return [
        Panel("sample quality", steps, "Fréchet distance", lines("frechet")),
        Panel("copies", steps, "f_mem", lines("f_mem"), shares=True),
        Panel("held-out (solid) and training loss", steps, "denoising loss", losses),
        Panel("copies against τ/n", "training steps per image τ/n", "f_mem", together, shares=True),
        Panel("the two times", "training images n", steps, times, guide=1.0),
    ]


EXPERIMENT = Experiment(
    "n-sweep",
    "Training time to copying grows with the number of images",
    "at fixed width tau_gen does not depend on n, tau_mem is proportional to n (Fig. 2 of arXiv 2505.17638).",
    configs,
    analyse,
)
