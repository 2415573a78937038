"""`w-sweep`: wider and wider networks on the same images (Fig. 3, left, of arXiv 2505.17638)."""

from __future__ import annotations

from collections.abc import Sequence

from genwindow.analysis import PowerLaw, collapse, fit_power_law
from genwindow.experiments.arms import law_words, spread_words
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, faces, smoke
from genwindow.report import Line, Panel, Times, panels_figure
from genwindow.report.palette import COPY, GENERATE, ordered_colours
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunConfig, RunResult


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Every width at two sizes."""
    if scale == "smoke":
        return [smoke(n, width=w) for n in (8, 16) for w in (8, 16)]
    if scale == "cpu":
        return [digits_mlp(n, steps=20_000, width=w) for n in (64, 128) for w in (32, 64, 128, 256, 512)]
    return [faces(n, width=w) for n in (1024, 4096) for w in (8, 16, 32, 48, 64)]


def analyse(runs: Sequence[RunResult]) -> Finding:
    """Both times against W at each n, their laws, and f_mem against W tau / n."""
    sizes = sorted({run.n for run in runs})
    widths = sorted({run.config.net.width for run in runs})
    rows = {n: sorted((r for r in runs if r.n == n), key=lambda r: r.config.net.width) for n in sizes}
    markers = ("o", "s", "D", "^")
    content: list[Times] = []
    laws: dict[str, PowerLaw] = {}
    for i, (n, row) in enumerate(rows.items()):
        for name, colour in (("tau_gen", GENERATE), ("tau_mem", COPY), ("tau_gen_loss", "#6b9fc4")):
            at = [r.config.net.width for r in row]
            times = [r.estimates.get(name, UNKNOWN) for r in row]
            law = fit_power_law(at, times)
            laws[f"{name}, n = {n}"] = law
            label = f"{name.replace('tau', 'τ').replace('_loss', ' (loss)')}, n = {n}"
            content.append(Times(label, at, times, colour, markers[i % 4], law))
    colours = dict(zip(widths, ordered_colours(len(widths)), strict=True))
    last = rows[sizes[-1]]
    copied = [r for row in rows.values() for r in row if r.curves_named("f_mem")]
    scaled = collapse([r.curve("f_mem") for r in copied], [r.n / r.config.net.width for r in copied])
    plain = collapse([r.curve("f_mem") for r in copied], [1.0 for _ in copied])
    together = [
        Line(f"W = {r.config.net.width}" if r.n == sizes[0] else "", c, colours[r.config.net.width], r.n != sizes[0])
        for r, c in zip(copied, scaled.curves, strict=True)
    ]
    quality = [
        Line(f"W = {r.config.net.width}", r.curve("frechet"), colours[r.config.net.width])
        for r in last
        if r.curves_named("frechet")
    ]
    steps = "training steps τ"
    figure = panels_figure(
        [
            Panel(f"sample quality, n = {sizes[-1]}", steps, "Fréchet distance", quality),
            Panel("copies against Wτ/n", "W τ / n", "f_mem", together, shares=True),
            Panel("the times against width", "width W", steps, content, guide=-1.0),
        ]
    )
    best = {f"n = {r.n}, W = {r.config.net.width}": r.estimates.get("frechet_best", UNKNOWN).value for r in runs}
    distances = [value for value in best.values() if value]
    sentences = [
        "Against the width W, tau_mem goes as W to the power "
        + _listed(laws, "tau_mem", sizes)
        + ", tau_gen as W to the power "
        + _listed(laws, "tau_gen", sizes)
        + "; the paper's U-Net gives -1 for both.",
        "Read from the held-out loss, tau_gen goes as W to the power " + _listed(laws, "tau_gen_loss", sizes) + ".",
        f"The best Frechet distances differ by {spread_words(distances)} over all runs: tau_gen is the time to the "
        "best that a width can do, not to one common quality."
        if distances
        else "No run has a Frechet distance.",
    ]
    summary = {
        "laws": {name: law.exponent.to_json() for name, law in laws.items()},
        "runs": [
            {
                "n": r.n,
                "width": r.config.net.width,
                **{k: r.estimates.get(k, UNKNOWN).to_json() for k in ("tau_gen", "tau_gen_loss", "tau_mem")},
                "frechet_best": r.estimates.get("frechet_best", UNKNOWN).value,
            }
            for r in runs
        ],
        "collapse_spread": {"W/n": scaled.spread, "none": plain.spread},
    }
    caption = (
        "Quality along training for each width; copies against W tau/n (dashed: the larger n), which fall together "
        "where tau_mem is proportional to n/W; both times against the width, with a dotted line of slope -1."
    )
    return Finding(summary, tuple(sentences), figure, caption)


def _listed(laws: dict[str, PowerLaw], name: str, sizes: Sequence[int]) -> str:
    return " and ".join(f"{law_words(laws[f'{name}, n = {n}'], 'W')} (n = {n})" for n in sizes)


EXPERIMENT = Experiment(
    "w-sweep",
    "Wider networks learn, and copy, sooner",
    "tau_gen is proportional to 1/W and tau_mem to n/W (Fig. 3 of arXiv 2505.17638).",
    configs,
    analyse,
)
