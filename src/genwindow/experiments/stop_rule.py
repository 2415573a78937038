"""`stop-rule`: does the monitor stop inside the window? Whole runs, judged afterwards by many more samples.

Every run goes on to its end; the weights at the moment the rule first said to stop are kept, and sampled again, 10,000
images, when the run is over. Three kinds of runs: open windows (the residual MLP on digits), a closed one (the U-Net on
n = 32), and a network too small to memorize its training set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genwindow.curve import Curve, Estimate, short
from genwindow.diffusion import sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.experiments.settings import Scale, digits_mlp, digits_unet, faces, smoke
from genwindow.metrics import memorized_fraction
from genwindow.report import Line, Panel, Times, panels_figure
from genwindow.report.palette import COPY, GENERATE, INK, MUTED
from genwindow.runs import RunConfig, RunFolder, RunResult
from genwindow.runs.draw import load_trained

AFTERWARDS = 10_000
"""Images drawn from the weights at the stop."""

BEYOND = "copies beyond the floor at the stop"
"""Title of a panel that is left out where no run has any."""

ALLOWED = 0.02
"""The share of copies beyond the floor that a good stop may have at most."""


def configs(scale: Scale) -> Sequence[RunConfig]:
    """Runs with open windows, then a closed one, then one that cannot memorize."""
    if scale == "smoke":
        return [smoke(n) for n in (8, 16, 32)]
    if scale == "paper":
        return [_default_schedule(faces(n, seed=seed)) for n in (512, 2048) for seed in range(3)]
    seeds = {128: range(10), 256: range(8), 512: range(2)}
    steps = {128: 4200, 256: 11_000, 512: 25_000}
    opened = [digits_mlp(n, steps=steps[n], seed=seed) for n in seeds for seed in seeds[n]]
    closed = [digits_unet(32, steps=2000, seed=seed) for seed in range(2)]
    small = [digits_mlp(1000, steps=10_000, width=32)]
    return [_default_schedule(config) for config in (*opened, *closed, *small)]


def _default_schedule(config: RunConfig) -> RunConfig:
    """Measured as the monitor does by itself: three times an octave, 256 images, up to 2,048 where it matters."""
    return dataclasses.replace(
        config, measure=dataclasses.replace(config.measure, per_octave=3, samples=256, most_samples=2048)
    )


@dataclass(frozen=True)
class Outcome:
    """What the rule did in one run.

    Attributes:
        run: the run.
        stop: the step at which it said to stop first, or None.
        excess: share of copies beyond the floor at the stop, from images drawn afterwards; None without a stop.
        copies: the share itself, with its interval; None without a stop.
        before_tau_gen: whether the stop came before samples were good, as the whole run shows it.
        said_closed: the first step at which it said that the window is closed, or None.
        copies_then: share of copies measured then, or None.
    """

    run: RunResult
    stop: int | None
    excess: float | None
    copies: Estimate | None
    before_tau_gen: bool
    said_closed: int | None
    copies_then: float | None

    @property
    def kind(self) -> str:
        """`open`, `closed` or `no copies`, as the whole run shows it, and the many images drawn at its stop."""
        gen, mem = (self.run.estimates[name] for name in ("tau_gen", "tau_mem"))
        if mem.value is None and mem.status == "not_reached" and not self._copies_at_stop:
            return "no copies"
        early = mem.status == "below_range" or gen.value is None
        return "closed" if early or (mem.value is not None and mem.value < (gen.value or 0)) else "open"

    @property
    def _copies_at_stop(self) -> bool:
        """Whether copies exceed their floor at the stop, surely."""
        copies = self.copies
        if copies is None or copies.value is None or copies.low is None or self.excess is None:
            return False
        return copies.low > copies.value - self.excess

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "n": self.run.n,
            "seed": self.run.config.train.seed,
            "net": self.run.config.net.kind,
            "kind": self.kind,
            "tau_gen": self.run.estimates["tau_gen"].to_json(),
            "tau_mem": self.run.estimates["tau_mem"].to_json(),
            "stop": self.stop,
            "copies_at_stop": None if self.copies is None else self.copies.to_json(),
            "excess_at_stop": self.excess,
            "before_tau_gen": self.before_tau_gen,
            "said_closed": self.said_closed,
            "copies_when_said_closed": self.copies_then,
        }


def outcome(run: RunResult, count: int = AFTERWARDS) -> Outcome:
    """Sample the weights at the stop again, from other noise, and compare with the whole run.

    Args:
        run: a finished run.
        count: images to draw.
    """
    gen = run.estimates["tau_gen"]
    closed = next((v.step for v in run.verdicts if v.closed), None)
    f_mem = run.curve("f_mem")
    then = None if closed is None else float(f_mem.value[f_mem.tau <= closed][-1])
    trained = load_trained(RunFolder(run.folder), run.config, "stop")
    if trained is None:
        return Outcome(run, None, None, None, False, closed, then)
    data, step, measure = trained.data, trained.step, run.config.measure
    images = sample(
        trained.denoiser, (count, *data.train.shape[1:]), keyed_generator("afterwards", run.config.train.seed),
        sampler=measure.sampler, steps=measure.sampler_steps,
    )  # fmt: skip
    found = memorized_fraction(images, data.train, heldout=data.heldout, threshold=measure.threshold)
    assert found.fraction.value is not None and found.floor is not None and found.floor.value is not None
    early = gen.value is None or step < gen.value
    return Outcome(run, step, found.fraction.value - found.floor.value, found.fraction, early, closed, then)


def analyse(runs: Sequence[RunResult]) -> Finding:
    """How often the rule stopped well."""
    smoke_scale = all(run.config.train.steps < 100 for run in runs)
    found = [outcome(run, 200 if smoke_scale else AFTERWARDS) for run in runs]
    by_kind = {kind: [o for o in found if o.kind == kind] for kind in ("open", "closed", "no copies")}
    opened = by_kind["open"]
    stopped = [o for o in opened if o.excess is not None]
    good = [o for o in stopped if o.excess is not None and o.excess <= ALLOWED]
    early = [o for o in stopped if o.before_tau_gen]
    wrong = [o for o in opened if o.said_closed is not None]
    worst = max((o.excess for o in stopped if o.excess is not None), default=None)
    sentences = [
        f"{len(opened)} runs have an open window. The rule stopped {len(stopped)} of them; at the stop copies exceed "
        f"their floor by at most {ALLOWED:.0%} in {len(good)}"
        + (f", by {worst:.2%} in the worst." if worst is not None else ".")
        + f" It stopped {len(early)} before samples were good, and said of {len(wrong)} that the window is closed.",
    ]
    for o in by_kind["closed"]:
        said = (
            f"said so at step {short(o.said_closed)}, when {o.copies_then:.2%} of the samples were copies"
            if o.said_closed is not None
            else "did not say so"
        )
        sentences.append(
            f"The window of a run with n = {o.run.n} ({o.run.config.net.kind}) is closed; the monitor {said}."
        )
    for o in by_kind["no copies"]:
        said = "did not stop it" if o.stop is None else f"stopped it at step {short(o.stop)}"
        sentences.append(
            f"A run with n = {o.run.n}, width {o.run.config.net.width}, never copied; the monitor {said} in "
            f"{short(o.run.config.train.steps)} steps."
        )
    shown = _example(found)
    if shown is not None:
        sentences.append(_loss_words(shown))
    summary = {
        "runs": [o.to_json() for o in found],
        "open": len(opened), "stopped": len(stopped), "good": len(good), "before_tau_gen": len(early),
        "called_closed": len(wrong),
        "worst_excess": worst,
    }  # fmt: skip
    panels = _panels(opened, shown)
    caption = _caption([panel.title for panel in panels])
    return Finding(summary, tuple(sentences), panels_figure(panels, columns=3), caption)


def _caption(titles: Sequence[str]) -> str:
    """What stands in each panel that is drawn."""
    said = ["the stop of every open run between its tau_gen and its tau_mem"]
    if BEYOND in titles:
        said.append("copies beyond the floor at the stop, from 10,000 images drawn afterwards; the rule allows 2 %")
    if len(titles) > len(said):
        said.append(
            "why the smallest held-out loss is no rule: held-out loss and Fréchet distance of one run as shares of "
            "their largest values, and its share of copies"
        )
    places = {1: ("Here",), 2: ("Left", "Right"), 3: ("Left", "Middle", "Right")}[len(said)]
    return " ".join(f"{place}: {words}." for place, words in zip(places, said, strict=True))


def _example(found: Sequence[Outcome]) -> Outcome | None:
    """A run to show the losses of: n = 256 where there is one."""
    return next((o for o in found if o.run.n == 256), found[0] if found else None)


def _small_t(run: RunResult) -> Curve:
    """The held-out loss at the smallest diffusion time."""
    return run.curves_named("heldout_loss")[0]


def _loss_words(shown: Outcome) -> str:
    run = shown.run
    loss, quality = _small_t(run), run.curve("frechet")
    least = float(loss.tau[loss.value.argmin()])
    best, mem = float(quality.tau[quality.value.argmin()]), run.estimates["tau_mem"]
    return (
        f"Stopping at the smallest held-out loss is no rule: with n = {run.n} it comes at step {short(least)} "
        f"(t = {loss.t:g}), tau_gen is {run.estimates['tau_gen']}, the best samples come at step {short(best)}, "
        f"tau_mem is {mem}, and the monitor stops at {short(shown.stop) if shown.stop else 'no time'}."
    )


def _panels(opened: Sequence[Outcome], shown: Outcome | None) -> list[Panel]:
    steps = "training steps τ"
    sizes = [float(o.run.n) for o in opened]
    stops = [
        Estimate(float(o.stop), None, None, "found", "stop", "") if o.stop is not None
        else Estimate(None, float(o.run.config.train.steps), None, "not_reached", "stop", "")
        for o in opened
    ]  # fmt: skip
    times = [
        Times("τ_gen", sizes, [_bare(o.run.estimates["tau_gen"]) for o in opened], GENERATE, "o"),
        Times("τ_mem", sizes, [_bare(o.run.estimates["tau_mem"]) for o in opened], COPY, "D"),
        Times("stop", sizes, stops, INK, "x"),
    ]
    excess = [(float(o.run.n), max(o.excess, 0.0)) for o in opened if o.excess is not None]
    shares = Times(
        "at the stop", [n for n, _ in excess],
        [Estimate(100 * share, None, None, "found", "excess", "") for _, share in excess], COPY, "x",
    )  # fmt: skip
    panels = [Panel("where the rule stops", "training images n", steps, times)]
    if any(share > 0 for _, share in excess):
        panels.append(Panel(BEYOND, "training images n", "per cent", [shares]))
    if shown is not None:
        run = shown.run
        least = _small_t(run)
        lines = [
            Line(f"held-out loss, t = {least.t:g}", _relative(least), MUTED),
            Line("Fréchet distance", _relative(run.curve("frechet")), GENERATE),
            Line("copies", run.curve("f_mem"), COPY),
        ]
        panels.append(Panel(f"one run, n = {run.n}: share of the largest value", steps, "", lines, shares=True))
    return panels


def _bare(estimate: Estimate) -> Estimate:
    """Without its interval, for a panel of many points."""
    if estimate.value is None:
        return estimate
    return Estimate(estimate.value, None, None, "found", estimate.method, estimate.text)


def _relative(curve: Curve) -> Curve:
    return Curve(curve.name, curve.tau, curve.value / curve.value.max(), t=curve.t)


EXPERIMENT = Experiment(
    "stop-rule",
    "The monitor stops inside the window",
    "between tau_gen and tau_mem one can stop without copies (section 1 of arXiv 2505.17638); the rule that finds the "
    "moment is ours.",
    configs,
    analyse,
)
