"""The audit: does this generator copy its training images?

Duplicates first, then one exact neighbour search for each feature space, then the search for copies under small
changes, everything beside its value for real images that were never trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from genwindow.analysis import binomial_estimate
from genwindow.audit.match import Matcher, Matches
from genwindow.audit.result import PRIVACY, Audit, Pair, SpaceResult, Verdict, judge
from genwindow.audit.sets import Sets, clusters, read_sets
from genwindow.audit.spaces import Features, cached, feature_spaces
from genwindow.audit.statistics import STRICT, left_out, space_statistics
from genwindow.curve import Estimate
from genwindow.data.pixels import Channels
from genwindow.errors import check_number
from genwindow.metrics import nearest_neighbours
from genwindow.metrics.copies import (
    combined_p_values,
    conformal_p_values,
    discoveries,
    repeated,
    threshold_at,
)
from genwindow.train import resolve_device

NEAR = 0.2
"""Two training images are near duplicates when their distance is below this share of the median nearest distance."""

ALL_PAIRS = 20_000
"""Up to so many training images, near duplicates are searched among all of them; beyond, exact ones only."""


def audit(
    train: Any,
    generated: Any,
    heldout: Any = None,
    *,
    size: int | None = None,
    channels: Channels | None = None,
    spaces: Sequence[str] = ("pixels", "random-conv"),
    own_spaces: Mapping[str, Features] | None = None,
    false_positive_rate: float = 0.01,
    discovery_rate: float = 0.05,
    target: float = 0.01,
    allow_leak: bool = False,
    seed: int = 0,
    cache: str | Path | None = None,
    device: str | None = None,
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> Audit:
    """Audit a set of generated images.

    Args:
        train: the training images: array, path, or named set.
        generated: the generator's samples, likewise.
        heldout: real images never trained on, likewise; None calibrates on training images left out one at a time,
            which is weaker evidence.
        size: crop and resize all sets to this side.
        channels: convert all sets to `grey` or `colour`.
        spaces: names of feature spaces; the first one gives `f_mem`.
        own_spaces: further spaces: name to a callable from (N, C, H, W) to (N, k).
        false_positive_rate: share of held-out images that may count as copies.
        discovery_rate: share of `copied_train` that may be false.
        target: the copy rate that one is not willing to miss; decides when samples are too few.
        allow_leak: leave out held-out images that are training images, instead of refusing.
        seed: of the choice of training images that stand in for held-out ones.
        cache: folder to keep features in, so that the next audit of the same images need not compute them; not for
            `own_spaces`, whose contents nobody can name.
        device: where neighbours are searched, for example `cuda`; None means the CPU.
        on_progress: called with a share of the work and what is being done.

    Raises:
        GenwindowError: when sets cannot be read or compared; see `read_sets`.
    """
    check_number("false_positive_rate", false_positive_rate, low=0, high=0.5, low_open=True)
    check_number("discovery_rate", discovery_rate, low=0, high=1, low_open=True, high_open=True)
    check_number("target", target, low=0, high=1, low_open=True, high_open=True)
    if device is not None:
        resolve_device(device)
    on_progress(0.0, "reading")
    sets = read_sets(train, generated, heldout, size=size, channels=channels, allow_leak=allow_leak)
    used = feature_spaces(sets, tuple(spaces), own_spaces or {})
    on_progress(0.1, "duplicates")
    cluster, radius = _clusters(sets)
    matcher = Matcher(sets.train.pixels, cluster)
    on_progress(0.2, "matching")
    found = matcher.match(sets.generated.pixels)
    null, calibrated_on = _null(sets, matcher, cluster, seed)
    kept = None if cache is None else Path(cache)
    results = []
    for i, (name, space) in enumerate(used.items()):
        on_progress(0.6 + 0.35 * i / len(used), f"neighbours in {name}")
        keep = None if name in (own_spaces or {}) else kept
        results.append(_in_space(name, space, sets, cluster, false_positive_rate, seed, keep, device))
    settings = {
        "size": size, "channels": channels, "spaces": list(used), "false_positive_rate": false_positive_rate,
        "discovery_rate": discovery_rate, "target": target, "seed": seed,
    }  # fmt: skip
    on_progress(0.97, "verdict")
    return _conclude(sets, cluster, radius, found, null, calibrated_on, tuple(results), settings)


def _clusters(sets: Sets) -> tuple[NDArray[np.int64], float]:
    """Cluster of each training image, and the radius of near duplicates as a root mean square difference."""
    exact = clusters(sets.train)
    first = np.unique(exact)
    if len(first) < 3 or len(first) > ALL_PAIRS:
        return exact, 0.0
    pixels = sets.train.pixels[first]
    found = nearest_neighbours(pixels, pixels, min(8, len(first)))
    radius = NEAR * float(np.median(found.distances[:, 1]))
    near = (found.distances <= radius) & (found.indices != np.arange(len(first))[:, None])
    row, column = np.nonzero(near)
    pairs = np.stack([first[row], first[found.indices[row, column]]], axis=1)
    return clusters(sets.train, pairs), radius / np.sqrt(pixels[0].size)


def _null(sets: Sets, matcher: Matcher, cluster: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float64], Any]:
    """Scores of real images that copy nothing."""
    if sets.heldout is not None:
        return _known(matcher.match(sets.heldout.pixels)), "heldout"
    chosen = left_out(cluster, seed)
    return _known(matcher.match(sets.train.pixels[chosen], leave_out=cluster[chosen])), "train"


def _known(matches: Matches) -> NDArray[np.float64]:
    return np.where(np.isnan(matches.score), 1.0, matches.score)


def _in_space(
    name: str,
    space: Features,
    sets: Sets,
    cluster: NDArray[np.int64],
    rate: float,
    seed: int,
    cache: Path | None,
    device: str | None,
) -> SpaceResult:
    """All statistics of one feature space."""
    fitted_on = (sets.train, sets.heldout) if name == "pca" else ()
    key = "|".join(images.digest for images in fitted_on if images is not None)
    train, generated = (cached(name, space, images, key, cache) for images in (sets.train, sets.generated))
    real = None if sets.heldout is None else cached(name, space, sets.heldout, key, cache)
    return space_statistics(name, train[np.unique(cluster)], generated, real, rate, seed, device)


def _conclude(
    sets: Sets,
    cluster: NDArray[np.int64],
    radius: float,
    found: Matches,
    null: NDArray[np.float64],
    calibrated_on: Any,
    results: tuple[SpaceResult, ...],
    settings: dict[str, Any],
) -> Audit:
    rate, n, m = settings["false_positive_rate"], len(found.index), len(null)
    threshold = threshold_at(null, rate)
    score = np.where(np.isnan(found.score), 1.0, found.score)
    flagged, strict, null_strict = score < threshold, score < STRICT, null < STRICT
    p = conformal_p_values(score, null)
    matched, combined = combined_p_values(p, found.index)
    copied = matched[discoveries(combined, settings["discovery_rate"])]
    table = [[int(flagged.sum()), n - int(flagged.sum())], [int((null < threshold).sum()), m]]
    table[1][1] -= table[1][0]
    excess = float(stats.fisher_exact(table, alternative="greater").pvalue)
    copies = binomial_estimate(int(flagged.sum()), n, method="calibrated", what="generated images below the threshold")
    distinct = len(np.unique(cluster))
    verdict: Verdict
    if distinct < 2:
        verdict, words = "not_enough", ["Not enough to say: copies need at least two distinct training images."]
    else:
        verdict, words = judge(
            int(strict.sum()), int(null_strict.sum()), copies, excess, n, m, settings["target"]
        )  # fmt: skip
    order = np.argsort(score, kind="stable")
    pairs = tuple(
        Pair(
            generated=int(i),
            generated_name=sets.generated.names[i],
            train=int(found.index[i]),
            train_name=sets.train.names[found.index[i]],
            second=int(found.other[i]),
            score=float(score[i]),
            distance=float(found.distance[i]),
            change=found.change[i],
            p=float(p[i]),
            copy=bool(flagged[i]),
            strict=bool(strict[i]),
        )
        for i in order
    )
    hits = np.unique(np.concatenate([found.index[strict], copied]))
    words += _further(verdict, hits, sets, results, calibrated_on, distinct)
    return Audit(
        verdict=verdict,
        words=tuple(words),
        pairs=pairs,
        copies=copies,
        copies_floor=binomial_estimate(
            int((null < threshold).sum()), m, method="calibrated", what="real images below the threshold"
        ),
        strict=binomial_estimate(int(strict.sum()), n, method="strict", what="generated images with a score below 1/3"),
        strict_floor=binomial_estimate(
            int(null_strict.sum()), m, method="strict", what="real images with a score below 1/3"
        ),
        threshold=threshold,
        false_positive_rate=rate,
        copied_train=tuple(int(i) for i in copied),
        discovery_rate=settings["discovery_rate"],
        spurious=_spurious(sets, flagged | strict, radius),
        spaces=results,
        duplicates=len(sets.train) - distinct,
        near_radius=radius,
        calibrated_on=calibrated_on,
        counts={"train": len(sets.train), "generated": n, "heldout": 0 if sets.heldout is None else len(sets.heldout)},
        by_group=_by_group(sets, hits),
        notes=sets.notes,
        settings=settings,
        digests={
            role: images.digest
            for role, images in (("train", sets.train), ("generated", sets.generated), ("heldout", sets.heldout))
            if images is not None
        },
        images=sets,
    )


def _further(
    verdict: str,
    hits: NDArray[np.int64],
    sets: Sets,
    results: tuple[SpaceResult, ...],
    calibrated_on: str,
    distinct: int,
) -> list[str]:
    words = []
    if verdict == "copies_found":
        share = 100 * len(hits) / distinct
        words.append(
            f"{len(hits)} of {len(sets.train)} training images, {share:.2g} %, are the source of a clear copy."
        )
    far = [r.name for r in results if r.p < 0.01 and r.z < 0]
    if far:
        words.append(
            f"As a whole, generated images lie nearer to the training images than real ones do (in {', '.join(far)})."
        )
    differing = {r.name: r.f_mem.value for r in results if r.f_mem.value is not None}
    if len(differing) > 1 and max(differing.values()) > 2 * min(differing.values()) + 0.01:
        listed = ", ".join(f"{name} {100 * value:.2g} %" for name, value in differing.items())
        words.append(f"The feature spaces disagree about the share with d1/d2 < 1/3: {listed}.")
    if calibrated_on == "train":
        words.append(
            "There were no held-out images: chance was judged by training images left out one at a time, which is "
            "weaker evidence, above all where training images come in series."
        )
    words.append(PRIVACY)
    return words


def _spurious(sets: Sets, copies: NDArray[np.bool_], radius: float) -> Estimate:
    """Samples that repeat another sample and are no copies of a training image."""
    pixels = sets.generated.pixels
    if len(pixels) < 2:
        return Estimate(None, None, None, "ill_posed", "repeats", "repeats need two generated images")
    nearest = nearest_neighbours(pixels, pixels, 2).distances[:, 1] / np.sqrt(pixels[0].size)
    hits = repeated(nearest, radius) & ~copies
    return binomial_estimate(int(hits.sum()), len(pixels), method="repeats", what="samples that repeat another one")


def _by_group(sets: Sets, hits: NDArray[np.int64]) -> dict[str, dict[str, list[int]]]:
    """For groups and for classes: name to [training images, copied ones]."""
    tables: dict[str, dict[str, list[int]]] = {}
    for kind, values in (("group", sets.train.groups), ("class", sets.train.labels)):
        if values is None:
            continue
        names, counts = np.unique(values, return_counts=True)
        copied = {name: int((values[hits] == name).sum()) for name in names}
        rows = sorted(zip(names, counts, strict=True), key=lambda row: (-copied[row[0]], str(row[0])))
        tables[kind] = {str(name): [int(count), copied[name]] for name, count in rows}
    return tables
