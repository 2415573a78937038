"""The audit's files: a page with the most suspicious pairs, the numbers as JSON, pairs as CSV, a model card section."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from genwindow.audit import Audit, Pair, SpaceResult
from genwindow.audit.groups import Group, without_names
from genwindow.audit.match import residual
from genwindow.curve import Estimate, per_cent
from genwindow.files import to_json_text, write_atomically
from genwindow.metrics.copies import STRICT
from genwindow.report.audit_figures import distances_figure, ratio_curves_figure, score_figure
from genwindow.report.gallery import png_uri, ratio_words
from genwindow.report.model_card import model_card
from genwindow.report.rendering import render
from genwindow.report.sections import picture
from genwindow.report.words import percent

SHOWN = 24
"""Pairs in the gallery."""

FIRST = 12
"""Of them shown at once."""

GROUPS = 20
"""Rows of a table of groups; audit.json has all of them."""

TITLES = {"copies_found": "Copies found", "none_found": "No copies found", "not_enough": "Not enough to say"}


def write_audit(found: Audit, folder: Path, *, redact: bool = False) -> None:
    """Write audit.json, audit.html, pairs.csv and model-card.md, each whole or not at all.

    Args:
        found: the audit.
        folder: made where it is missing.
        redact: no picture and no file name of any image, for private data.

    Raises:
        GenwindowError: when the folder cannot be written.
    """
    write_atomically(folder / "pairs.csv", _pairs_csv(found, redact))
    write_atomically(folder / "model-card.md", model_card(found))
    write_atomically(folder / "audit.html", render_audit(found, redact=redact))
    write_atomically(folder / "audit.json", to_json_text(found.to_json(redact=redact)))


def _pairs_csv(found: Audit, redact: bool) -> str:
    columns = [name for name in vars(found.pairs[0]) if not (redact and name.endswith("_name"))]
    text = io.StringIO()
    out = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    out.writeheader()
    for pair in found.pairs:
        row = pair.to_json()
        for name in ("generated_name", "train_name"):  # a spreadsheet must not take a file name for a formula
            if row[name][:1] in "=+-@\t\r":
                row[name] = "'" + row[name]
        out.writerow(row)
    return text.getvalue()


def render_audit(found: Audit, *, redact: bool = False) -> str:
    """The page as HTML text; the same audit gives the same bytes."""
    return render(
        "audit.html.j2",
        title=TITLES[found.verdict],
        verdict=found.verdict,
        words=found.words,
        tiles=_tiles(found),
        cards=[] if redact else [_card(found, pair) for pair in found.pairs[:SHOWN]],
        first=FIRST,
        redacted=redact,
        figures=[picture(figure, words, words) for figure, words in _figures(found)],
        spaces=[_row(space) for space in found.spaces],
        groups=_groups(found, redact),
        notes=(*_none_named(found), *found.notes),
        meanings=_meanings(found),
        settings={**found.settings, **{f"{role} images": number for role, number in found.counts.items()},
                  **{f"digest of {role}": digest for role, digest in found.digests.items()}},
        calibrated_on=found.calibrated_on,
    )  # fmt: skip


def _tiles(found: Audit) -> list[dict[str, str]]:
    clear, flagged, wanted = percent(found.strict), percent(found.copies), real_images_wanted(found)
    tiles = [
        {"name": "clear copies", "number": clear.partition(" [")[0], "kind": "copy",
         "note": f"95 %: {_interval(found.strict)}; real images {percent(found.strict_floor).partition(' [')[0]}"},
        {"name": f"suspicious at {100 * found.false_positive_rate:g} %", "number": flagged.partition(" [")[0],
         "kind": "copy", "note": f"95 %: {_interval(found.copies)}; "
         f"real images {percent(found.copies_floor).partition(' [')[0]}"},
        {"name": "training images named", "number": str(len(found.copied_train)), "kind": "plain",
         "note": "whose copies are sure one by one, at a false-discovery rate of "
         f"{100 * found.discovery_rate:g} %" + (f"; it takes about {wanted} held-out images" if wanted else "")},
        {"name": "repeats", "number": percent(found.spurious).partition(" [")[0], "kind": "plain",
         "note": "samples that repeat one another, no copies; held-out images "
         f"{percent(found.spurious_floor).partition(' [')[0]}"},
    ]  # fmt: skip
    return [{**tile, "note": tile["note"].replace(" %", "\N{NO-BREAK SPACE}%")} for tile in tiles]


def _none_named(found: Audit) -> tuple[str, ...]:
    """Why no training image is named although copies were found, and how many held-out images would do."""
    wanted = real_images_wanted(found)
    if wanted is None:
        return ()
    return (
        f"No training image is named one by one: judged by {len(found.real_scores)} real images, a single p-value is "
        f"never below 1/{len(found.real_scores) + 1}. About {wanted} held-out images would do, if none of them lies as "
        "near to a training image as these copies.",
    )


def real_images_wanted(found: Audit) -> int | None:
    """How many held-out images would name a copied training image, where there were too few to name one; else None.

    Of an image whose k samples hold c that lie nearer than all m real images, the combined p-value is k / c / (m + 1);
    the j smallest of I such values are discoveries where the largest is at most j / I times the rate.
    """
    if found.verdict != "copies_found" or found.copied_train:
        return None
    least = float(found.real_scores.min())
    matched = Counter(pair.train for pair in found.pairs)
    nearer = Counter(pair.train for pair in found.pairs if pair.score < min(least, STRICT))
    costs = sorted(matched[train] / count for train, count in nearer.items())
    needed = [cost * len(matched) / (found.discovery_rate * j) for j, cost in enumerate(costs, start=1)]
    wanted = math.ceil(min(needed) - 1e-9) - 1 if needed else 0
    return wanted if wanted > len(found.real_scores) else None


def _meanings(found: Audit) -> dict[str, str]:
    """Terms of the page in plain words."""
    rate, false = f"{100 * found.false_positive_rate:g} %", f"{100 * found.discovery_rate:g} %"
    words = {
        "clear copies": "Generated images with a score below 1/3: more than three times nearer to one training image "
        "than to any other.",
        f"suspicious at {rate}": f"The score is so small that at most {rate} of real images, which copy nothing, "
        "reach it by chance. About as many samples of an honest generator are called suspicious.",
        "false-discovery rate": f"Share of the named training images that may be named wrongly, {false} on average.",
        "p": "How often chance alone would give a result at least as striking; small p speaks against chance.",
        "random-conv": "A feature space: how strongly a set of fixed random filters responds in each part of the "
        "image. It forgives small changes that pixels do not.",
        "Meehan's test": "Asks whether generated images as a whole lie nearer to the training images than real ones "
        "do. A small p says so; it names no single copy.",
    }
    if not any(space.name == "random-conv" for space in found.spaces):
        del words["random-conv"]
    return words


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return "not known"
    return f"{per_cent(estimate.low)} to {per_cent(estimate.high)} %"


def _card(found: Audit, pair: Pair) -> dict[str, Any]:
    sets = found.images
    generated = sets.generated.pixels[pair.generated][None]
    nearest = sets.train.pixels[pair.train][None]
    show = sets.train.display
    left = np.abs(residual(generated[0], nearest[0])).mean(axis=0)[None, None]
    difference = np.clip(left - 1, -1, 1).astype(np.float32)
    pictures = [("generated", generated, pair.generated_name), ("training", nearest, pair.train_name)]
    if pair.second >= 0:
        pictures.append(("next best", sets.train.pixels[pair.second][None], sets.train.names[pair.second]))
    pictures.append(("difference", difference, ""))
    return {
        "pictures": [{"uri": png_uri(show(image), 1), "what": what, "name": name} for what, image, name in pictures],
        "names": f"{pair.generated_name} ← {pair.train_name}",
        "score": ratio_words(pair.score, STRICT),
        "change": pair.change,
        "strict": pair.strict,
        "copy": pair.copy,
    }


def _row(space: SpaceResult) -> dict[str, str]:
    return {
        "name": space.name,
        "f_mem": percent(space.f_mem),
        "floor": percent(space.floor),
        "adaptive": percent(space.adaptive),
        "adaptive_floor": percent(space.adaptive_floor),
        "authentic": percent(space.authenticity),
        "authentic_floor": percent(space.authenticity_floor),
        "nearer": percent(space.nearer),
        "nearer_floor": f"50 %; p = {space.p:.2g}",
        "coverage": percent(space.coverage),
        "coverage_floor": percent(space.coverage_floor),
    }


_KINDS = {
    "group": "Copied training images of each group",
    "class": "Copied training images of each class",
    "group of samples": "Clear copies among the samples of each group",
    "class of samples": "Clear copies among the samples of each class",
}


def _groups(found: Audit, redact: bool) -> list[dict[str, Any]]:
    tables = without_names(found.by_group) if redact else found.by_group

    def cells(row: Group) -> tuple[str, ...]:
        floor = "" if row.floor is None else percent(row.floor)
        return (row.name, str(row.images), str(row.copies), percent(row.rate), floor)

    return [
        {"title": _KINDS[kind], "rows": [cells(row) for row in rows[:GROUPS]], "more": max(0, len(rows) - GROUPS),
         "floor": any(row.floor is not None for row in rows)}
        for kind, rows in tables.items()
    ]  # fmt: skip


def _figures(found: Audit) -> list[tuple[Figure, str]]:
    return [
        (
            score_figure(found),
            "How well a training image explains each image, generated (bars) and real (line): the distance to the best "
            "match over that to the next best. Copies stand at the left, apart from the real images.",
        ),
        (
            ratio_curves_figure(found),
            "Share of images with d1/d2 below each threshold, without allowing for changes. The dotted line of real "
            "images is what chance gives.",
        ),
        *(
            (distances_figure(space), f"Distance to the nearest training image in {space.name}.")
            for space in found.spaces
        ),
    ]
