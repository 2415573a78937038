"""What an audit has found: statistics with intervals, suspicious pairs, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genwindow.audit.groups import Groups, without_names
from genwindow.audit.sets import Sets
from genwindow.audit.verdict import Verdict
from genwindow.curve import Estimate

SCHEMA = 2

PRIVACY = (
    "A copy rate is not a proof of privacy: it says how many samples are copies by these measures, not that nothing "
    "about a training image can be learned from the model."
)


@dataclass(frozen=True)
class Pair:
    """A generated image and the training image that explains it best.

    Attributes:
        generated: position of the generated image.
        generated_name: its file name.
        train: position of the training image.
        train_name: its file name.
        second: position of the best training image outside the cluster of `train`, -1 for none.
        score: distance of the match over that of the best other match; near 0 for a copy.
        distance: root mean square difference of the pixels (black to white is 2), after the change.
        change: what was done to the copy: mirrored, shifted, ...; empty for nothing.
        p: p-value among held-out images.
        copy: whether the score lies below the calibrated threshold.
        strict: whether it lies below 1/3.
    """

    generated: int
    generated_name: str
    train: int
    train_name: str
    second: int
    score: float
    distance: float
    change: str
    p: float
    copy: bool
    strict: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """One feature space.

    Attributes:
        name: of the space.
        f_mem: share of generated images with d1/d2 < 1/3, clusters of duplicates counted once.
        floor: the same of held-out images (or of training images left out one at a time).
        adaptive: share of generated images whose adaptive ratio lies below its held-out threshold.
        adaptive_floor: the same of held-out images.
        authenticity: share of authentic generated images.
        authenticity_floor: the same of held-out images.
        z: of Meehan's test, negative when samples are nearer to the training set than held-out images.
        p: its p-value.
        nearer: probability that a sample is nearer to the training set than a held-out image; 1/2 without copying.
        ratio_curve: `threshold`, `generated`, `heldout`: share of images below each ratio; `generated_low` and so on:
            ends of its exact 95 % intervals.
        distance: nearest distances, `generated` and `heldout`.
        coverage: share of training clusters that are the nearest of some generated image, in as many generated images
            as there are held-out ones.
        coverage_floor: the same of held-out images, in as many as there are generated ones.
        recall: share of the samples for which an index with cells found all neighbours; None for exact searches.
    """

    name: str
    f_mem: Estimate
    floor: Estimate
    adaptive: Estimate
    adaptive_floor: Estimate
    authenticity: Estimate
    authenticity_floor: Estimate
    z: float
    p: float
    nearer: Estimate
    ratio_curve: dict[str, NDArray[np.float64]] = field(repr=False)
    distance: dict[str, NDArray[np.float64]] = field(repr=False)
    coverage: Estimate
    coverage_floor: Estimate
    recall: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the distances."""
        names = (
            "f_mem", "floor", "adaptive", "adaptive_floor", "authenticity", "authenticity_floor", "nearer", "coverage",
            "coverage_floor",
        )  # fmt: skip
        return {
            "name": self.name,
            **{name: getattr(self, name).to_json() for name in names},
            "data_copying_test": {"z": self.z, "p": self.p},
            "ratio_curve": {k: v.tolist() for k, v in self.ratio_curve.items()},
            "recall": None if self.recall is None else self.recall.to_json(),
        }


@dataclass(frozen=True, eq=False)
class Audit:
    """The whole answer.

    Attributes:
        verdict: `copies_found`, `none_found`, `not_enough`.
        words: the verdict for people.
        pairs: every generated image with its best match, most suspicious first.
        copies: share of generated images below the calibrated threshold.
        copies_floor: the same of held-out images.
        strict: share with a score below 1/3.
        strict_floor: the same of held-out images.
        excess: copy rate beyond what chance gives, from the clear copies of both.
        evidence: p-value of each of the three tests behind the verdict.
        threshold: the calibrated threshold of the score.
        false_positive_rate: at which it was calibrated.
        copied_train: positions of the training images that were copied, at the false-discovery rate.
        discovery_rate: that rate.
        spurious: share of generated images that repeat another one and are no copies.
        spurious_floor: share of held-out images that repeat another one.
        spaces: one result for each feature space.
        duplicates: training images that are exact or near duplicates of another one.
        near_radius: root mean square difference below which two training images are near duplicates.
        calibrated_on: `heldout`, or `train` where there were no held-out images.
        counts: of generated, train, heldout images.
        by_group: for each kind of group or class its rows, most copies first; see `genwindow.audit.groups`.
        notes: what was assumed or noticed.
        settings: of the audit.
        digests: of the sets.
        real_scores: scores of the real images that calibrated.
        images: the sets, for pictures.
    """

    verdict: Verdict
    words: tuple[str, ...]
    pairs: tuple[Pair, ...]
    copies: Estimate
    copies_floor: Estimate
    strict: Estimate
    strict_floor: Estimate
    excess: Estimate
    evidence: dict[str, float]
    threshold: float
    false_positive_rate: float
    copied_train: tuple[int, ...]
    discovery_rate: float
    spurious: Estimate
    spurious_floor: Estimate
    spaces: tuple[SpaceResult, ...]
    duplicates: int
    near_radius: float
    calibrated_on: Literal["heldout", "train"]
    counts: dict[str, int]
    by_group: Groups
    notes: tuple[str, ...]
    settings: dict[str, Any]
    digests: dict[str, str]
    real_scores: NDArray[np.float64] = field(repr=False)
    images: Sets = field(repr=False)

    @property
    def found(self) -> tuple[Pair, ...]:
        """The pairs that count as copies, most suspicious first."""
        return tuple(pair for pair in self.pairs if pair.copy or pair.strict)

    def to_json(self, *, redact: bool = False) -> dict[str, Any]:
        """Plain JSON; `redact` leaves the names of files and groups out."""
        pairs = [pair.to_json() for pair in self.found]
        if redact:
            pairs = [{k: v for k, v in pair.items() if not k.endswith("_name")} for pair in pairs]
        first = self.spaces[0]
        groups = without_names(self.by_group) if redact else self.by_group
        return {
            "schema": SCHEMA,
            "verdict": self.verdict,
            "words": list(self.words),
            "f_mem": first.f_mem.to_json(),
            "floor": first.floor.to_json(),
            "copy_rate": self.copies.to_json(),
            "copy_rate_floor": self.copies_floor.to_json(),
            "strict_rate": self.strict.to_json(),
            "strict_rate_floor": self.strict_floor.to_json(),
            "excess": self.excess.to_json(),
            "evidence": self.evidence,
            "threshold": self.threshold,
            "false_positive_rate": self.false_positive_rate,
            "calibrated_on": self.calibrated_on,
            "copies": pairs,
            "copied_train": list(self.copied_train),
            "discovery_rate": self.discovery_rate,
            "spurious": self.spurious.to_json(),
            "spurious_floor": self.spurious_floor.to_json(),
            "spaces": [space.to_json() for space in self.spaces],
            "duplicates": self.duplicates,
            "near_radius": self.near_radius,
            "counts": self.counts,
            "by_group": {kind: [{"name": row.name, **row.to_json()} for row in rows] for kind, rows in groups.items()},
            "notes": list(self.notes),
            "settings": self.settings,
            "digests": self.digests,
        }
