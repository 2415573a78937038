"""A verdict: do generated images lie nearer to single training images than real images do by chance?

Under the null hypothesis a sample's score is drawn like that of a held-out image. Three tests ask for copies, each at a
third of the level, so an honest generator is accused in at most 1 % of all audits (`ACCUSED`), as far as the
extrapolation of the third holds:

- `suspicious`: more samples than real images lie below the threshold calibrated on the real ones. The threshold is an
  order statistic of their scores, so the count is hypergeometric and Fisher's exact test is exact here.
- `clear`: more samples than real images have a score below 1/3 (Fisher's exact test).
- `nearest`: the smallest score is smaller than the scores of real images let expect (`tail_p_values`, times the number
  of samples, the most cautious of several tails). Counting cannot convict one copy among thousands of samples; this
  can, but it extrapolates.

Samples that repeat one another are one sample in all tests: a generator that repeats itself is no copier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from genwindow.analysis import binomial_estimate, binomial_interval
from genwindow.curve import Estimate, per_cent, short
from genwindow.metrics.copies import STRICT
from genwindow.metrics.evidence import samples_needed, tail_p_values, threshold_at

Verdict = Literal["copies_found", "none_found", "not_enough"]

ACCUSED = 0.01
"""Share of audits of honest generators that may say `copies_found`."""

_TESTS = ("suspicious", "clear", "nearest")

_TAILS = (10, 20, 50, 100)
"""Scores of real images that make each tail. Shorter ones would miss single noisy copies of digits too often."""


@dataclass(frozen=True)
class Decision:
    """The verdict with what it rests on.

    Attributes:
        verdict: `copies_found`, `none_found` or `not_enough`.
        words: for people, one sentence each.
        evidence: p-value of each test; a verdict of copies needs one below ACCUSED / 3.
        copies: share of the samples below the calibrated threshold.
        copies_floor: the same of real images.
        strict: share of the samples with a score below 1/3: clear copies.
        strict_floor: the same of real images.
        excess: copy rate beyond what chance gives, from the clear copies of both.
        threshold: the calibrated threshold.
    """

    verdict: Verdict
    words: tuple[str, ...]
    evidence: dict[str, float]
    copies: Estimate
    copies_floor: Estimate
    strict: Estimate
    strict_floor: Estimate
    excess: Estimate
    threshold: float


def decide(
    score: NDArray[np.float64],
    null: NDArray[np.float64],
    *,
    false_positive_rate: float = 0.01,
    target: float = 0.01,
    distinct: NDArray[np.bool_] | None = None,
    null_distinct: NDArray[np.bool_] | None = None,
    real: str = "real images",
) -> Decision:
    """Judge scores.

    Args:
        score: (N,) of the samples, small ones being suspicious, at most about 1.
        null: (M,) of real images that copy nothing.
        false_positive_rate: share of real images that may count as suspicious.
        target: the copy rate that one is not willing to miss.
        distinct: (N,) False for samples that repeat an earlier one; None: none do.
        null_distinct: (M,) the same of the real images.
        real: what these are called in the words.
    """
    n, m = len(score), len(null)
    threshold = threshold_at(null, false_positive_rate)
    flagged, strict = int((score < threshold).sum()), int((score < STRICT).sum())
    null_flagged, null_strict = int((null < threshold).sum()), int((null < STRICT).sum())
    beyond = excess(strict, n, null_strict, m)
    tested = score if distinct is None else score[distinct], null if null_distinct is None else null[null_distinct]
    evidence = _evidence(*tested, false_positive_rate)
    enough = _enough(*tested)
    verdict, words = _judge(strict, n, null_strict, m, flagged / n, evidence, beyond, target, real, enough)
    clear = "with a score below 1/3"
    return Decision(
        verdict=verdict,
        words=words,
        evidence=evidence,
        copies=binomial_estimate(flagged, n, method="calibrated", what="generated images below the threshold"),
        copies_floor=binomial_estimate(null_flagged, m, method="calibrated", what="real images below the threshold"),
        strict=binomial_estimate(strict, n, method="strict", what=f"generated images {clear}"),
        strict_floor=binomial_estimate(null_strict, m, method="strict", what=f"real images {clear}"),
        excess=beyond,
        threshold=threshold,
    )


def excess(copies: int, n: int, by_chance: int, m: int) -> Estimate:
    """The copy rate c when a sample counts with probability c + (1 - c) f, and a real image with f.

    The 95 % interval assumes only that originals count as often as real images do: its ends come from exact intervals
    of both counts, whose errors add up to at most 5 % (0.5 % and 2.5 % above, 1 % and 1 % below).

    Args:
        copies: samples that count.
        n: of so many.
        by_chance: real images that count.
        m: of so many.
    """

    def beyond(share: float, floor: float) -> float:
        return max(0.0, (share - floor) / (1 - floor)) if floor < 1 else 0.0

    low = beyond(float(binomial_interval(copies, n, 0.98)[0]), float(binomial_interval(by_chance, m, 0.98)[1]))
    high = beyond(float(binomial_interval(copies, n, 0.95)[1]), float(binomial_interval(by_chance, m, 0.99)[0]))
    value = min(max(beyond(copies / n, by_chance / m), low), high)
    text = (
        f"a copy rate of {short(value)} beyond what {m} real images give, 95 % interval [{short(low)}, {short(high)}]"
    )
    return Estimate(value, low, high, "found", "excess", text)


def _tail_p(least: float, null: NDArray[np.float64]) -> float:
    """By the most cautious of several tails.

    Where images of several kinds are mixed, the scores thin out the more slowly the nearer to 0 one looks, and a long
    tail promises too much.
    """
    return max(float(tail_p_values([least], null, most=most)[0]) for most in _TAILS)


def _evidence(score: NDArray[np.float64], null: NDArray[np.float64], rate: float) -> dict[str, float]:
    threshold = threshold_at(null, rate)
    found = {}
    for name, limit in (("suspicious", threshold), ("clear", STRICT)):
        hits, by_chance = int((score < limit).sum()), int((null < limit).sum())
        table = [[hits, len(score) - hits], [by_chance, len(null) - by_chance]]
        found[name] = float(stats.fisher_exact(table, alternative="greater").pvalue) if hits else 1.0
    least = score.min()
    found["nearest"] = min(1.0, len(score) * _tail_p(least, null)) if least < STRICT else 1.0
    return found


def _enough(score: NDArray[np.float64], null: NDArray[np.float64]) -> int | None:
    """Real images of which none may have a score below 1/3 to convict the samples that do; None: more do not help."""
    hits = int((score < STRICT).sum())
    if not hits or (null < STRICT).any():
        return None
    wanted = int(np.ceil(len(score) * ((ACCUSED / len(_TESTS)) ** (-1 / hits) - 1)))
    return wanted if wanted > len(null) else None


def _judge(
    strict: int,
    n: int,
    null_strict: int,
    m: int,
    flagged: float,
    evidence: dict[str, float],
    beyond: Estimate,
    target: float,
    real: str,
    enough: int | None,
) -> tuple[Verdict, tuple[str, ...]]:
    convicts = {name for name in _TESTS if evidence[name] < ACCUSED / len(_TESTS)}
    if strict and convicts & {"clear", "nearest"}:
        low, high = (per_cent(float(end)) for end in binomial_interval(strict, n))
        p = min(evidence["clear"], evidence["nearest"])
        words = [
            f"Copies found: {strict} of {n} generated images, {per_cent(strict / n)} % (95 % interval {low} to "
            f"{high} %), lie more than three times nearer to one training image than to any other; of {m} {real} "
            f"{null_strict or 'none'} {'do' if null_strict > 1 else 'does'} ({_p(p)})."
        ]
        if "clear" not in convicts:
            words.append(
                f"So few among so many samples could not be told from chance by counting alone, against {m} {real}: "
                "the p-value takes their scores to go on towards 0 as they begin. Look at the pairs."
            )
        return "copies_found", tuple(words)
    if "suspicious" in convicts:
        return "copies_found", (
            f"Copies found: {per_cent(flagged)} % of the generated images are nearer to one training image than real "
            f"images come by chance ({_p(evidence['suspicious'])}).",
        )
    assert beyond.high is not None
    if strict and beyond.high > target:
        more = "" if enough is None else f"; about {enough} real images would show it"
        return "not_enough", (
            f"Not enough to say: {strict} of {n} generated images lie more than three times nearer to one training "
            f"image than to any other, which chance may give: {null_strict} of {m} {real} do{more}. A copy rate "
            f"of up to {short(beyond.high)} would go unseen.",
        )
    if beyond.high > target:
        return "not_enough", (
            f"Not enough samples to say: no excess of copies in {n} generated images, but a rate of up to "
            f"{short(beyond.high)} would go unseen. {samples_needed(target)} samples without a copy would show less "
            f"than {target:.2g}.",
        )
    return "none_found", (
        f"No copies found. A copy rate of {short(beyond.high)} or more would have been seen (exact 95 % bound from {n} "
        f"generated images).",
    )


def _p(p: float) -> str:
    return f"p = {p:.1g}" if p >= 1e-12 else "p < 1e-12"
