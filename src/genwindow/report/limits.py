"""Limits: what a set of runs does not prove, in plain words, computed from the runs themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from genwindow.curve import per_cent, short
from genwindow.data.points import LAWS
from genwindow.report.labels import source_name
from genwindow.report.window import UNKNOWN
from genwindow.report.words import listed
from genwindow.runs.result import RunResult

if TYPE_CHECKING:
    from genwindow.analysis.scaling import PowerLaw


def limits(runs: Sequence[RunResult], scaling: PowerLaw | None = None) -> tuple[str, ...]:
    """What these runs do not prove, one paragraph per limit."""
    sampled = [run for run in runs if run.config.measure.samples]
    of_samples = (_criterion(sampled), _privacy(sampled), _sampler(sampled)) if sampled else ()
    given = (_scope(runs), _ratio_n_d(runs, scaling), *of_samples, _quality(runs))
    return tuple(filter(None, (*given, _seeds(runs))))


def image_shapes(runs: Sequence[RunResult]) -> list[tuple[int, ...]]:
    """The distinct image shapes (H, W, C) seen in the galleries."""
    return sorted({run.gallery.generated.shape[2:] for run in runs if run.gallery is not None})


def _scope(runs: Sequence[RunResult]) -> str:
    sources = listed(sorted({source_name(run.config.data.source) for run in runs}))
    sizes = listed([f"{h} × {w}" for h, w, _ in image_shapes(runs)])
    images = f"{sizes} images from {sources}" if sizes else f"images from {sources}"
    if all(run.config.data.source in LAWS for run in runs):
        images = (
            f"synthetic points ({sources}) in {listed(sorted({run.config.data.dimension for run in runs}))} dimensions"
        )
    counts = sorted({run.parameters for run in runs if run.parameters})
    span = short(counts[0]) if len(counts) == 1 else f"{short(counts[0])} to {short(counts[-1])}" if counts else ""
    nets = f"networks with {span} trained parameters" if span else "these networks"
    return (
        f"This was measured for {nets} on {images}. The times are gradient steps with one optimizer and learning rate; "
        "for another network, data set or optimizer they have to be measured again."
    )


def _ratio_n_d(runs: Sequence[RunResult], scaling: PowerLaw | None) -> str:
    """The paper's law is asymptotic; where n is of the order of d the random-features theory is steeper than n."""
    shapes = image_shapes(runs)
    if scaling is None or scaling.exponent.value is None or len(shapes) != 1:
        return ""
    d = math.prod(shapes[0])
    low, high = min(scaling.n) / d, max(scaling.n) / d
    where = f"n/d runs from {low:.2g} to {high:.2g} here (d = {d} pixel values)"
    if low > 8:
        return f"{where}. The law tau_mem proportional to n is a statement about large n and d."
    return (
        f"{where}. The law tau_mem proportional to n is a statement about large n and d. At such small n/d the "
        "random-features theory itself gives local slopes above 1, which settle towards 1 as n grows, so an exponent "
        "somewhat above 1 does not contradict it and one fit over so short a range does not establish it."
    )


def _criterion(runs: Sequence[RunResult]) -> str:
    thresholds = sorted({run.config.measure.threshold for run in runs})
    times = listed([f"{1 / t:.3g}" for t in thresholds])
    return (
        f"A sample counts as a copy when its nearest training image is at least {times} times nearer than the second, "
        "in plain pixel distance. A copy that is shifted, mirrored, recoloured or partial can escape this criterion."
    )


def _privacy(runs: Sequence[RunResult]) -> str:
    finals = [run.estimates.get("f_mem_final", UNKNOWN) for run in runs]
    highs = [e.high for e in finals if e.value == 0 and e.high is not None]
    zero = f" Even where no copy was seen, the rate may be as high as {per_cent(max(highs))} %." if highs else ""
    counts = listed(sorted({run.config.measure.samples for run in runs}))
    return (
        f"A copy rate is no proof of privacy. It is read from {counts} samples per measuring time; rarer copies are "
        f"not seen, and a model can give away facts about its training images without copying one.{zero}"
    )


def _sampler(runs: Sequence[RunResult]) -> str:
    def name(run: RunResult) -> str:
        steps = run.config.measure.sampler_steps
        return f"{run.config.measure.sampler.upper()} with {steps if steps else 'all its'} steps"

    used = sorted({name(run) for run in runs})
    return f"Samples were drawn by {listed(used)}. Another sampler, or guidance, can copy more or less often."


def _quality(runs: Sequence[RunResult]) -> str:
    if not any("tau_gen" in run.estimates for run in runs):
        return ""
    return (
        "tau_gen is read against the best samples of the same run. It says when a run is nearly as good as it gets, "
        "not that its samples are good; the Fréchet distance beside its real-against-real floor tells that."
    )


def _seeds(runs: Sequence[RunResult]) -> str:
    if max(Counter(run.n for run in runs).values()) > 1:
        return ""
    who = "This run was made once" if len(runs) == 1 else "Each training-set size was trained once"
    return (
        f"{who}. The intervals cover the finite number of samples and the spacing of "
        "the measuring times, not how much another seed or another choice of training images would change."
    )
