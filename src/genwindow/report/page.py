"""The page: one self-contained HTML file with the answer, the gallery, the figures and what they do not prove.

Nothing is loaded from anywhere: pictures are data URIs, style and script are inside, and a content security policy
that names their hashes forbids the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from genwindow.curve import short
from genwindow.errors import check
from genwindow.files import write_atomically
from genwindow.report.gallery import gallery_data, last_frame, still_cards
from genwindow.report.labels import labels
from genwindow.report.limits import limits
from genwindow.report.palette import size_colours
from genwindow.report.rendering import render
from genwindow.report.sections import figure_groups, overview, picture
from genwindow.report.tables import provenance_rows, result_rows, settings_rows
from genwindow.report.window import UNKNOWN, window
from genwindow.report.words import findings, headline, percent, progress
from genwindow.runs.result import RunResult

if TYPE_CHECKING:
    from genwindow.analysis.scaling import Collapse, PowerLaw

CLOSER = 8
"""How many runs are shown one by one, with gallery and figures of their own; the tables and laws hold all of them."""

GALLERY_BYTES = 560_000  # raw pixels; a page with six runs of noise-like pictures stays below 1.5 MB


REFRESH = 30
"""Seconds after which a page of runs still going loads itself again."""


@dataclass(frozen=True)
class PageContent:
    """What a report page shows.

    Attributes:
        title: heading of the page.
        runs: the runs, at least one, ordered by n.
        scaling: tau_mem against n; None for a single run.
        collapsed: f_mem over tau / n, one curve for each run that has measured f_mem, in the order of `runs`; or None.
        paragraphs: further paragraphs in plain words, shown after what was found.
        provenance: further lines for the folded part, for example versions and the digest of the data.
        answer: the sentence under the heading; empty lets the runs speak for themselves.
        figures: figures of what the runs show together, drawn first, each with its description in words.
    """

    title: str
    runs: tuple[RunResult, ...]
    scaling: PowerLaw | None = None
    collapsed: Collapse | None = None
    paragraphs: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    answer: str = ""
    figures: tuple[tuple[Figure, str], ...] = ()

    def __post_init__(self) -> None:
        check(len(self.runs) > 0, "PageContent.runs must hold at least one run, got none")
        sizes = [run.n for run in self.runs]
        check(sizes == sorted(sizes), f"PageContent.runs must be ordered by n, got n = {sizes}")


def render_page(content: PageContent) -> str:
    """The whole page as HTML text; the same content gives the same bytes."""
    runs, names = content.runs, labels(content.runs)
    sampled = any(run.config.measure.samples for run in runs)
    colours = size_colours([run.n for run in runs])
    chips = "".join(f".size-{n}{{--size:{colour}}}" for n, colour in colours.items())
    closer = few(range(len(runs)), CLOSER)
    near, near_names = tuple(runs[i] for i in closer), tuple(names[i] for i in closer)
    budget = GALLERY_BYTES // len(near)
    galleries = [{**g, "n": r.n} for r, m in zip(near, near_names, strict=True) if (g := gallery_data(r, m, budget))]
    return render(
        "page.html.j2",
        more_style=chips,
        with_script=True,
        title=content.title,
        answer=content.answer or headline(runs, content.scaling),
        tiles=_tiles(runs, content.scaling) if sampled else (),
        overview=None if content.figures else overview(runs),
        shown=[picture(figure, words, words) for figure, words in content.figures],
        rows=result_rows(runs),
        notes=[(m, p) for m, r in zip(names, runs, strict=True) if (p := progress(r))],
        refresh=REFRESH if any(run.status == "running" for run in runs) else 0,
        verdicts=[(m, r.verdict.text) for m, r in zip(near_names, near, strict=True) if r.verdict is not None],
        galleries=galleries,
        stills=[
            (m, r.n, last_frame(r), c) for m, r in zip(near_names, near, strict=True) if (c := still_cards(r, budget))
        ],
        first=next((i for i, g in enumerate(galleries) if g["state"] in ("open", "open_end")), 0),
        groups=figure_groups(runs, content.scaling, content.collapsed, closer),
        closer=f"Of the {len(runs)} runs, {len(near)} are shown one by one." if len(near) < len(runs) else "",
        found=[*(findings(runs, content.scaling) if sampled else ()), *content.paragraphs],
        limits=limits(runs, content.scaling),
        settings=settings_rows(runs),
        provenance=provenance_rows(runs),
        extra=dict(content.provenance),
    )


def write_page(path: Path | str, content: PageContent) -> None:
    """Write the page to `path`; it appears complete or not at all.

    Raises:
        GenwindowError: when the file cannot be written.
    """
    write_atomically(Path(path), render_page(content))


def few(items: Sequence[int], most: int) -> list[int]:
    """At most `most` of the items, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def _tiles(runs: Sequence[RunResult], scaling: PowerLaw | None) -> list[dict[str, Any]]:
    """The headline numbers: name, number, the small print under it."""
    if len(runs) == 1:
        run = runs[0]
        found = window(run)
        return [
            _tile("tau_gen", found.tau_gen.value, "steps to quality", f"{found.tau_gen}", "generate"),
            _tile("tau_mem", found.tau_mem.value, "steps to copying", f"{found.tau_mem}", "copy"),
            {"name": "f_mem at the end", "number": _first(percent(run.estimates.get("f_mem_final", UNKNOWN))),
             "note": "of the samples are copies", "kind": "copy"},
            {"name": "held-out floor", "number": _first(percent(run.estimates.get("floor", UNKNOWN))),
             "note": "of held-out images pass as copies", "kind": "plain"},
        ]  # fmt: skip
    states = [window(run).state for run in runs]
    opened = sum(state in ("open", "open_end") for state in states)
    gens, mems = (_range([r.estimates.get(name, UNKNOWN).value for r in runs]) for name in ("tau_gen", "tau_mem"))
    tiles = [
        {"name": "tau_gen", "number": gens, "note": "training steps to quality", "kind": "generate"},
        {"name": "tau_mem", "number": mems, "note": "training steps to copying", "kind": "copy"},
        {"name": "open windows", "number": f"{opened} of {len(runs)}",
         "note": "training sets with quality before copies", "kind": "window" if opened else "plain"},
    ]  # fmt: skip
    if scaling is not None and scaling.exponent.value is not None:
        beta = scaling.exponent
        known = beta.low is not None and beta.high is not None
        interval = f"95 %: {beta.low:.2f} to {beta.high:.2f}" if known else "no interval"
        number = f"n^{beta.value:.2f}"
        tiles.insert(2, {"name": "tau_mem grows as", "number": number, "note": interval, "kind": "plain"})
    return tiles


def _tile(name: str, value: float | None, note: str, text: str, kind: str) -> dict[str, str]:
    interval = text.partition(" ")[2].strip("[]").replace(", ", " to ")
    if value is None:
        return {"name": name, "number": text, "note": note, "kind": kind}
    note += f", 95 %: {interval}" if interval else ""
    return {"name": name, "number": short(value), "note": note, "kind": kind}


def _first(text: str) -> str:
    return text.partition(" [")[0]


def _range(values: Sequence[float | None]) -> str:
    known = [v for v in values if v is not None]
    if not known:
        return "-"
    low, high = short(min(known)), short(max(known))
    return low if low == high else f"{low} – {high}"
