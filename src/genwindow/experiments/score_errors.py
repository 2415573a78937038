"""How far models are from the score of the law of a mixture, and from that of their training points, in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genwindow.report import Line, size_colours
from genwindow.runs import RunResult


@dataclass(frozen=True)
class ScoreErrors:
    """Errors to both exact scores at one diffusion time.

    Attributes:
        lines: for a panel, solid to the population, dashed to the empirical score.
        sentences: none where nothing was measured.
        summary: plain JSON, by n.
        t: the diffusion time, the middle one of those measured.
    """

    lines: tuple[Line, ...]
    sentences: tuple[str, ...]
    summary: dict[str, Any]
    t: float | None


def score_errors(runs: Sequence[RunResult]) -> ScoreErrors:
    """Of the runs by Adam with all points at once in the lowest dimension, one seed."""
    lowest = min(run.config.data.dimension for run in runs)
    chosen = {
        run.n: run
        for run in sorted(runs, key=lambda run: (run.n, -run.config.train.seed))
        if (run.config.train.optimizer, run.config.train.batch, run.config.data.dimension) == ("adam", 0, lowest)
    }
    colours = size_colours(list(chosen))
    lines, summary = [], {}
    words: list[str] = []
    t = None
    for n, run in chosen.items():
        pair = [run.curves_named(f"score_error:{name}") for name in ("population", "empirical")]
        if not all(pair):
            continue
        population, empirical = (curves[len(curves) // 2] for curves in pair)
        t = population.t
        lines += [Line(f"n = {n}", population, colours[n]), Line("", empirical, colours[n], dashed=True)]
        best = int(population.value.argmin())
        summary[str(n)] = {
            "t": t,
            "best_to_population": population.value[best],
            "best_at": population.tau[best],
            "last_to_population": population.value[-1],
            "first_to_empirical": empirical.value[0],
            "last_to_empirical": empirical.value[-1],
        }
        words.append(
            f"{population.value[best]:.2g} at step {population.tau[best]:.0f}, {population.value[-1]:.2g} at the end; "
            f"{empirical.value[0]:.2g} at first, {empirical.value[-1]:.2g} at the end (n = {n})"
        )
    sentences = (
        (
            f"Squared error to the exact score at t = {t:g}, d = {lowest}, Adam, its least and last value; to the "
            f"empirical score, its first and last: {'; '.join(words)}.",
        )
        if words
        else ()
    )
    return ScoreErrors(tuple(lines), sentences, summary, t)
