"""A history: all that a monitor has found so far, as plain values that travel with the host's checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from genwindow.analysis.outlook import Look
from genwindow.errors import GenwindowError
from genwindow.monitor.record import Best, Point
from genwindow.monitor.verdict import Verdict

LOOKED_AT = 256
"""So many images of a set, evenly spaced, make its fingerprint: enough to notice another sample of them."""


def fingerprint(*sets: Tensor | None) -> str:
    """Sixteen hexadecimal digits that name sets of images, None among them."""
    found = hashlib.blake2b(digest_size=8)
    for images in sets:
        found.update(repr(None if images is None else tuple(images.shape)).encode())
        if images is not None and len(images):
            count = min(len(images), LOOKED_AT)
            place = torch.arange(count) * (len(images) - 1) // max(count - 1, 1)
            found.update(
                images[place.to(images.device)].detach().to("cpu", torch.float32).contiguous().numpy().tobytes()
            )
    return found.hexdigest()


@dataclass(frozen=True)
class History:
    """What was found by the last measuring time.

    Attributes:
        next: the next measuring time, in steps.
        last: the last one, or None.
        points: every measured value.
        looks: copies counted at each measuring time.
        verdicts: of each measuring time.
        ratio_curve: shares of generated and of held-out images below each threshold, at the last measuring time.
        best: the snapshot to keep, or None.
        stop: the first measuring time at which the rule said to stop, or None.
        between: measuring times so far that were put between those of the schedule.
        images: fingerprint of the images it was found on; empty when not known.
    """

    next: int
    last: int | None = None
    points: tuple[Point, ...] = ()
    looks: tuple[Look, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    ratio_curve: Mapping[str, list[float]] = field(default_factory=dict)
    best: Best | None = None
    stop: int | None = None
    between: int = 0
    images: str = ""

    def after(
        self,
        step: int,
        points: Sequence[Point],
        looks: Sequence[Look],
        verdict: Verdict,
        ratio_curve: Mapping[str, list[float]],
        following: int,
        between: bool,
    ) -> History:
        """With one measuring time more; one at the same step is replaced.

        Args:
            step: of the measuring time.
            points: measured values.
            looks: copies counted up to now.
            verdict: made from all of it.
            ratio_curve: empty keeps the last one.
            following: the next measuring time.
            between: whether that is none of the schedule.
        """
        again = step == self.last
        every = (*(p for p in self.points if p.step != step), *points)
        verdicts = (*(v for v in self.verdicts if v.step != step), verdict)
        copying = {v.step for v in verdicts if v.state == "memorizing"}
        quality = [(p.value, p.step) for p in every if p.name == "frechet" and p.step not in copying]
        why = "the smallest Frechet distance measured before copying showed"
        return History(
            next=following,
            last=step,
            points=every,
            looks=tuple(looks),
            verdicts=verdicts,
            ratio_curve=ratio_curve or self.ratio_curve,
            best=Best(min(quality)[1], min(quality)[0], why) if quality else None,
            stop=next((v.step for v in verdicts if v.should_stop), None),
            between=self.between + (between and not again),
            images=self.images,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "points": [asdict(p) for p in self.points],
            "looks": [asdict(look) for look in self.looks],
            "ratio_curve": dict(self.ratio_curve),
            "next": self.next,
            "last": self.last,
            "best": None if self.best is None else asdict(self.best),
            "stop": self.stop,
            "between": self.between,
            "images": self.images,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> History:
        """The inverse of `to_json`; what was written before there were `between` and `images` is read as well.

        Raises:
            GenwindowError: when the table is no state of a monitor.
        """
        try:
            best = data["best"]
            return cls(
                next=int(data["next"]),
                last=None if data["last"] is None else int(data["last"]),
                points=tuple(Point.from_json(p) for p in data["points"]),
                looks=tuple(Look(**look) for look in data["looks"]),
                verdicts=tuple(Verdict.from_json(verdict) for verdict in data["verdicts"]),
                ratio_curve=dict(data["ratio_curve"]),
                best=None if best is None else Best(int(best["step"]), float(best["frechet"]), str(best["why"])),
                stop=None if data["stop"] is None else int(data["stop"]),
                between=int(data.get("between", 0)),
                images=str(data.get("images", "")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise GenwindowError(f"this is no state of a monitor ({type(error).__name__}: {error})") from None
