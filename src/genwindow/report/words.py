"""Sentences: what a set of runs has shown, in plain words.

Every function is pure and builds its sentence from the results it is given; nothing is claimed that they do not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from genwindow.curve import Estimate, per_cent, short
from genwindow.report.labels import labels, source_name
from genwindow.report.window import UNKNOWN, window
from genwindow.runs.result import RunResult

if TYPE_CHECKING:
    from genwindow.analysis.scaling import PowerLaw


def percent(estimate: Estimate) -> str:
    """A fraction as `12.3 % [10.1, 14.9]`."""
    if estimate.value is None:
        return "-"
    text = f"{_hundred(estimate.value)} %"
    if estimate.low is not None and estimate.high is not None:
        text += f" [{_hundred(estimate.low)}, {_hundred(estimate.high)}]"
    return text


def _hundred(share: float) -> str:
    """A share in per cent: two decimals below ten, one above."""
    number = 100 * share
    return f"{round(number, 2 if number < 10 else 1):g}"


def listed(items: Sequence[object]) -> str:
    """`1`, `1 and 2`, `1, 2 and 3`."""
    words = [str(item) for item in items]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def last_step(run: RunResult) -> float | None:
    """The last training time at which anything was measured."""
    ends = [curve.tau[-1] for curve in run.curves if len(curve)]
    return float(max(ends)) if ends else None


def progress(run: RunResult) -> str:
    """How far the run has come; empty when it is done, unless it ended itself."""
    end = last_step(run)
    said = run.verdict
    if run.status == "done" and run.config.train.stop_in_window and said is not None and said.should_stop:
        return f"The run ended itself at step {short(said.step)} of {short(run.config.train.steps)}. {said.text}"
    of = short(run.config.train.steps)
    at = f"before its first measurement, of {of} steps" if end is None else f"after step {short(end)} of {of}"
    words = {
        "done": "",
        "failed": f"The run failed {at}: {run.message.rstrip('.') or 'no reason was recorded'}.",
        "interrupted": f"The run was interrupted {at}; what it shows so far may change.",
        "ended early": f"The run {run.message}.",
        "running": f"The run was not finished when this was written, last seen {at}; what it shows so far may change.",
    }
    return words.get(run.state, f"The run is marked {run.status!r}.")


def finding(run: RunResult) -> str:
    """What one run has found about its window."""
    found = window(run)
    gen, mem, end = found.tau_gen, found.tau_mem, last_step(run)
    if end is None:
        return "Nothing has been measured yet."
    doubt = "" if found.sure else " The two intervals overlap, so their order is not certain."
    quality = {
        "found": f"Quality is reached at {gen} steps",
        "below_range": f"Quality was already there at the first measurement ({gen} steps)",
    }.get(gen.status, "")
    if found.state == "open":
        return f"{quality}, copying sets in at {mem} steps: the window lies between.{doubt}"
    if found.state == "open_end":
        bound = f" (tau_mem {mem})" if mem.low else ""
        if mem.low and mem.low < end:
            return f"{quality}; copying had not surely begun by the end of the run at {short(end)} steps{bound}."
        return f"{quality}; copying was not reached by the end of the run at {short(end)} steps{bound}."
    if found.state == "closed":
        copies = f"at {mem} steps" if mem.value is not None else f"before the first measurement ({mem} steps)"
        late = f"at {gen} steps" if gen.value is not None else f"after the end of the run ({gen} steps)"
        return (
            f"The window is closed: copying sets in {copies}, before quality is reached {late}. "
            f"No training time of this run gives quality without copies.{doubt if gen.found and mem.found else ''}"
        )
    reasons = [f"{n}: {e.text or e.status}" for n, e in (("tau_gen", gen), ("tau_mem", mem)) if not e.found]
    return f"The two times cannot be put in order ({'; '.join(reasons)})."


def _help(run: RunResult) -> str:
    """What to try where samples never became better than noise; empty where they did."""
    gen, noise, real = (run.estimates.get(name, UNKNOWN) for name in ("tau_gen", "frechet_noise", "frechet_floor"))
    worse = noise.value is not None and noise.value > 2 * (real.value or 0.0)  # of white points noise is a sample
    if run.status == "running" or not (gen.status == "ill_posed" and worse and run.curves_named("frechet")):
        return ""
    indirect = run.config.diffusion.prediction in ("noise", "score")
    other = ", or let the network predict the data, whose samples settle sooner (--diffusion.prediction data)"
    return f"No samples were better than noise: train longer{other if indirect else ''}."


def headline(runs: Sequence[RunResult], scaling: PowerLaw | None = None) -> str:
    """The answer in one sentence."""
    if len(runs) == 1:
        said = runs[0].verdict
        stopped = said is not None and said.should_stop and runs[0].config.train.stop_in_window
        stop = f"the run stopped itself at step {said.step:,}; " if said is not None and stopped else ""
        return f"{_subject(runs)} with {runs[0].n} training images: {stop}{_lower(finding(runs[0]))}"
    parts = [p for p in (_gen_clause(runs), _mem_clause(runs, scaling)) if p]
    windows = _window_clause(runs)
    body = " and ".join(parts) or "no training time was found yet"
    return f"{_subject(runs)}, {body}{'; ' + windows if windows else ''}."


def _subject(runs: Sequence[RunResult]) -> str:
    names = sorted({source_name(run.config.data.source) for run in runs})
    return f"On {listed(names)}"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _found(runs: Sequence[RunResult], name: str) -> list[float]:
    values = [run.estimates.get(name, UNKNOWN).value for run in runs]
    return [v for v in values if v is not None]


def _gen_clause(runs: Sequence[RunResult]) -> str:
    times = _found(runs, "tau_gen")
    if not times:
        return ""
    low, high = min(times), max(times)
    if len(times) == 1:
        return f"quality is reached at {short(low)} training steps"
    return f"quality is reached between {short(low)} and {short(high)} training steps"


def _mem_clause(runs: Sequence[RunResult], scaling: PowerLaw | None) -> str:
    if scaling is not None and scaling.exponent.value is not None:
        return f"copying sets in at a time that grows as n^{scaling.exponent.value:.2f}"
    times = _found(runs, "tau_mem")
    if not times:
        return ""
    span = short(times[0]) if len(times) == 1 else f"between {short(min(times))} and {short(max(times))}"
    return f"copying sets in {'at ' if len(times) == 1 else ''}{span} steps"


def _window_clause(runs: Sequence[RunResult]) -> str:
    states: dict[int, set[str]] = {}
    for run in runs:
        states.setdefault(run.n, set()).add(window(run).state)
    closed = sorted(n for n, found in states.items() if found == {"closed"})
    opened = sorted(n for n, found in states.items() if found <= {"open", "open_end"})
    if opened and closed:
        return f"the window is closed at n = {listed(closed)} and open at n = {listed(opened)}"
    if closed:
        return f"the window is closed at n = {listed(closed)}"
    return f"the window is open at n = {listed(opened)}" if opened else ""


def scaling_sentence(scaling: PowerLaw | None) -> str:
    """The exponent of tau_mem against n, with its interval and whether that contains 1."""
    if scaling is None:
        return ""
    beta = scaling.exponent
    if beta.value is None:
        return f"No scaling law: {beta.text or 'too few training-set sizes reached tau_mem'}"
    missing = f" Runs without a time are not in it: n = {', '.join(scaling.without)}." if scaling.without else ""
    if beta.low is None or beta.high is None:
        return f"tau_mem grows as n^{beta.value:.2f}; these runs give no interval for the exponent.{missing}"
    inside = "contains" if beta.low <= 1 <= beta.high else "does not contain"
    return (
        f"tau_mem grows as n^{beta.value:.2f} (95 % interval {beta.low:.2f} to {beta.high:.2f}, from {len(scaling.n)} "
        f"runs); the interval {inside} 1, the exponent of a time proportional to n.{missing}"
    )


def floor_sentence(runs: Sequence[RunResult]) -> str:
    """What the copy criterion says about held-out real images."""
    floors = [run.estimates.get("floor", UNKNOWN) for run in runs]
    values = [f.value for f in floors if f.value is not None]
    if not values:
        return ""
    highs = [f.high for f in floors if f.value is not None and f.high is not None]
    bound = f" (95 % upper end {per_cent(max(highs))} %)" if highs else ""
    if max(values) == 0:
        return f"The copy criterion marks no held-out real image as a copy{bound}."
    return f"The copy criterion marks up to {per_cent(max(values))} % of held-out real images as copies{bound}."


def duplicates_sentence(runs: Sequence[RunResult]) -> str:
    """How many training images are exact copies of another one; empty when none is."""
    counts = [f"{run.duplicates} of {run.n}" for run in runs if run.duplicates]
    if not counts:
        return ""
    return f"Exact copies within the training set: {listed(counts)} images; images that are equal count as one."


def findings(runs: Sequence[RunResult], scaling: PowerLaw | None = None) -> tuple[str, ...]:
    """What was found: one paragraph per run, then the law, the floor, duplicates, and groups of images."""
    single = len(runs) == 1
    prefixes = [""] if single else [f"{label}. " for label in labels(runs)]
    each = [
        " ".join(filter(None, (p + finding(r), progress(r), _help(r)))) for p, r in zip(prefixes, runs, strict=True)
    ]
    slopes = ""
    if scaling is not None and len(scaling.local_slopes) > 1:
        each_slope = listed([f"{slope:.2f}" for slope in scaling.local_slopes])
        slopes = f" Between neighbouring sizes the local slopes are {each_slope}."
    law = "" if single else scaling_sentence(scaling) + slopes
    groups = dict.fromkeys(run.groups for run in runs)
    return tuple(filter(None, (*each, law.strip(), floor_sentence(runs), duplicates_sentence(runs), *groups)))
