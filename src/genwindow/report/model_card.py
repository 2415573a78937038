"""The section of a model card that says what an audit has found, in Markdown."""

from __future__ import annotations

from genwindow.audit import Audit
from genwindow.report.words import percent


def model_card(found: Audit) -> str:
    """A section for a model card, in Markdown."""
    calibrated = "held-out images" if found.calibrated_on == "heldout" else "training images left out one at a time"
    rows = "\n".join(
        f"| {space.name} | {percent(space.f_mem)} | {percent(space.floor)} | {percent(space.nearer)} | {space.p:.2g} |"
        for space in found.spaces
    )
    counts = ", ".join(f"{number} {role}" for role, number in found.counts.items())
    return f"""## Copies of training images

{chr(10).join(found.words)}

- Images compared: {counts}; {found.duplicates} training images are duplicates and count once.
- Copies at a false-positive rate of {found.false_positive_rate:g}, calibrated on {calibrated}: {percent(found.copies)}
  (real images: {percent(found.copies_floor)}).
- Clear copies, a third of the distance to any other training image, flips, shifts and brightness allowed for:
  {percent(found.strict)} (real images: {percent(found.strict_floor)}).
- Beyond what chance gives, by counting these real images alone: {percent(found.excess)}.
- Samples that repeat one another without being copies: {percent(found.spurious)} (held-out images that repeat one
  another: {percent(found.spurious_floor)}).

| feature space | f_mem | real images | nearer than real images | p |
|---|---|---|---|---|
{rows}

Square brackets hold 95 % intervals. Made by `genwindow audit`.
"""
