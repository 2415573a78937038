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

from genwindow.analysis import binomial_estimate
from genwindow.audit.duplicates import ALL_PAIRS, clusters, near_radius, without_leaks
from genwindow.audit.groups import by_group
from genwindow.audit.match import Matcher, Matches
from genwindow.audit.result import PRIVACY, Audit, Pair, SpaceResult
from genwindow.audit.sets import Sets, read_sets
from genwindow.audit.spaces import Features, cached, feature_spaces
from genwindow.audit.statistics import Index, left_out, space_statistics
from genwindow.audit.verdict import decide
from genwindow.curve import Estimate, per_cent
from genwindow.data.pixels import Channels
from genwindow.errors import check_choice, check_number
from genwindow.metrics.copies import STRICT
from genwindow.metrics.evidence import conformal_p_values, copied_images
from genwindow.train import resolve_device


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
    index: Index = "exact",
    on_progress: Callable[[float, str], None] = lambda share, what: None,
) -> Audit:
    """Audit a set of generated images.

    Args:
        train: the training images: array, path, named set, or `Images`.
        generated: the generator's samples, likewise.
        heldout: real images never trained on, likewise; None calibrates on training images left out one at a time,
            which is weaker evidence.
        size: crop and resize all sets to this side; `Images` are taken as they are, and must have it.
        channels: convert all sets to `grey` or `colour`, likewise.
        spaces: names of feature spaces; the first one gives `f_mem`.
        own_spaces: further spaces: name to a callable from (N, C, H, W) to (N, k).
        false_positive_rate: share of held-out images that may count as copies.
        discovery_rate: share of `copied_train` that may be false.
        target: the copy rate that one is not willing to miss; decides when samples are too few.
        allow_leak: leave out held-out images that are training images or near duplicates of one, instead of refusing.
        seed: of the choice of training images that stand in for held-out ones.
        cache: folder to keep features in, so that the next audit of the same images need not compute them; not for
            `own_spaces`, whose contents nobody can name.
        device: where neighbours are searched, for example `cuda`; None means the CPU.
        index: `faiss` searches neighbours with an index that `cache` keeps for the next audit of the same training set.
        on_progress: called with a share of the work and what is being done.

    Raises:
        GenwindowError: when sets cannot be read or compared (see `read_sets`), or held-out images are training images.
    """
    check_number("false_positive_rate", false_positive_rate, low=0, high=0.5, low_open=True)
    check_number("discovery_rate", discovery_rate, low=0, high=1, low_open=True, high_open=True)
    check_number("target", target, low=0, high=1, low_open=True, high_open=True)
    check_choice("index", index, ("exact", "faiss"))
    device = None if device is None else str(resolve_device(device))
    on_progress(0.0, "reading")
    sets = read_sets(train, generated, heldout, size=size, channels=channels)
    on_progress(0.1, "duplicates")
    radius = near_radius(sets.train.pixels)
    sets = without_leaks(sets, radius, allow_leak)
    used = feature_spaces(sets, tuple(spaces), own_spaces or {})
    cluster = clusters(sets.train.pixels, radius)
    matcher = Matcher(sets.train.pixels, cluster)
    on_progress(0.2, "matching")
    found = matcher.match(sets.generated.pixels)
    null = _null(sets, matcher, cluster, seed)
    kept = None if cache is None else Path(cache)
    results = []
    for i, (name, space) in enumerate(used.items()):
        on_progress(0.6 + 0.35 * i / len(used), f"neighbours in {name}")
        keep = None if name in (own_spaces or {}) else kept
        results.append(_in_space(name, space, sets, cluster, false_positive_rate, seed, keep, device, index))
    settings = {
        "size": size, "channels": channels, "spaces": list(used), "false_positive_rate": false_positive_rate,
        "discovery_rate": discovery_rate, "target": target, "seed": seed, "index": index,
    }  # fmt: skip
    on_progress(0.97, "verdict")
    return _conclude(sets, cluster, radius, found, null, tuple(results), settings)


def _null(sets: Sets, matcher: Matcher, cluster: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Scores of real images that copy nothing."""
    if sets.heldout is not None:
        return _known(matcher.match(sets.heldout.pixels))
    chosen = left_out(cluster, seed)
    return _known(matcher.match(sets.train.pixels[chosen], leave_out=cluster[chosen]))


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
    index: Index,
) -> SpaceResult:
    """All statistics of one feature space."""
    key = sets.train.digest if name == "pca" else ""  # fitted on these
    train, generated = (cached(name, space, images, key, cache) for images in (sets.train, sets.generated))
    real = None if sets.heldout is None else cached(name, space, sets.heldout, key, cache)
    return space_statistics(name, train[np.unique(cluster)], generated, real, rate, seed, device, index, cache)


def _conclude(
    sets: Sets,
    cluster: NDArray[np.int64],
    radius: float,
    found: Matches,
    null: NDArray[np.float64],
    results: tuple[SpaceResult, ...],
    settings: dict[str, Any],
) -> Audit:
    score, real = _known(found), sets.heldout
    repeats = clusters(sets.generated.pixels, radius)
    real_repeats = None if real is None else clusters(real.pixels, radius)
    decision = decide(
        score,
        null,
        false_positive_rate=settings["false_positive_rate"],
        target=settings["target"],
        distinct=_first(repeats),
        null_distinct=None if real_repeats is None else _first(real_repeats),
        real="real images" if real is not None else "training images left out one at a time",
    )
    flagged, strict = score < decision.threshold, score < STRICT
    p = conformal_p_values(score, null)
    copied = copied_images(score, found.index, null, settings["discovery_rate"])
    distinct = len(np.unique(cluster))
    verdict, words = decision.verdict, list(decision.words)
    if distinct < 2:
        verdict, words = "not_enough", ["Not enough to say: copies need at least two distinct training images."]
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
    words += _further(verdict, hits, sets, results, distinct)
    return Audit(
        verdict=verdict,
        words=tuple(words),
        pairs=pairs,
        copies=decision.copies,
        copies_floor=decision.copies_floor,
        strict=decision.strict,
        strict_floor=decision.strict_floor,
        excess=decision.excess,
        evidence=decision.evidence,
        threshold=decision.threshold,
        false_positive_rate=settings["false_positive_rate"],
        copied_train=tuple(int(i) for i in copied),
        discovery_rate=settings["discovery_rate"],
        spurious=_repeated(repeats, flagged | strict, "samples that repeat another one and are no copies"),
        spurious_floor=_repeated(real_repeats, None, "held-out images that repeat another one"),
        spaces=results,
        duplicates=len(sets.train) - distinct,
        near_radius=radius / np.sqrt(sets.train.pixels[0].size),
        calibrated_on="train" if real is None else "heldout",
        counts={
            "train": len(sets.train),
            "generated": len(score),
            "heldout": 0 if real is None else len(real),
        },
        by_group=by_group(sets, hits, strict, None if real is None else null < STRICT),
        notes=(*sets.notes, *_limits(sets, results), *_few(null, real_repeats, settings["false_positive_rate"])),
        settings=settings,
        digests={
            role: images.digest
            for role, images in (("train", sets.train), ("generated", sets.generated), ("heldout", real))
            if images is not None
        },
        real_scores=null,
        images=sets,
    )


def _first(label: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which images are the first of their cluster."""
    return np.asarray(label == np.arange(len(label)))


def _repeated(label: NDArray[np.int64] | None, copies: NDArray[np.bool_] | None, what: str) -> Estimate:
    """Share of images that are not alone in their cluster, and are no copies."""
    if label is None or len(label) < 2:
        return Estimate(None, None, None, "ill_posed", "repeats", "repeats need two images")
    hits = np.bincount(label, minlength=len(label))[label] > 1
    hits = hits if copies is None else hits & ~copies
    return binomial_estimate(int(hits.sum()), len(label), method="repeats", what=what)


def _few(null: NDArray[np.float64], repeats: NDArray[np.int64] | None, rate: float) -> list[str]:
    """What real images that are too few, or too much alike, cannot tell."""
    m = len(null)
    distinct = m if repeats is None else len(np.unique(repeats))
    notes = []
    if distinct < m / 2:
        notes.append(f"Only {distinct} of {m} held-out images are distinct; repeats count once in the tests.")
    if rate * (distinct + 1) < 1:
        notes.append(
            f"{distinct} {'distinct ' if distinct < m else ''}real images are too few to call anything suspicious at a "
            f"false-positive rate of {rate:g}: {int(np.ceil(1 / rate)) - 1} are needed."
        )
    return notes


def _limits(sets: Sets, results: tuple[SpaceResult, ...]) -> list[str]:
    """What was not looked at."""
    notes = [
        f"There are more than {ALL_PAIRS} {what} images: only exact duplicates among them were joined, near ones were "
        "not looked for."
        for what, images in (("training", sets.train), ("generated", sets.generated))
        if len(images) > ALL_PAIRS
    ]
    notes += [
        f"Neighbours in {r.name} come from a faiss index with cells: their distances are exact, and all neighbours "
        f"were found for {100 * r.recall.value:.3g} % of the samples that were checked."
        for r in results
        if r.recall is not None and r.recall.value is not None
    ]
    return notes


def _further(
    verdict: str,
    hits: NDArray[np.int64],
    sets: Sets,
    results: tuple[SpaceResult, ...],
    distinct: int,
) -> list[str]:
    words = []
    if verdict == "copies_found":
        share = per_cent(len(hits) / distinct)
        words.append(
            f"They point to {len(hits)} of {distinct} distinct training images, {share} %; chance matches count too."
        )
    far = [r.name for r in results if r.p < 0.01 / len(results) and r.z < 0]
    if far:
        words.append(
            f"As a whole, generated images lie nearer to the training images than real ones do (in {', '.join(far)}); "
            "smooth or typical samples do so too, without copying."
        )
    differing = {r.name: r.f_mem.value for r in results if r.f_mem.value is not None}
    if len(differing) > 1 and max(differing.values()) > 2 * min(differing.values()) + 0.01:
        listed = ", ".join(f"{name} {per_cent(value)} %" for name, value in differing.items())
        words.append(f"The feature spaces disagree about the share with d1/d2 < 1/3: {listed}.")
    if sets.heldout is None:
        words.append(
            "There were no held-out images: chance was judged by training images left out one at a time, which is "
            "weaker evidence, above all where training images come in series."
        )
    words.append(PRIVACY)
    return words
