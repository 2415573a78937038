"""The page of a study: what was found, its figure, a table with a row for each case, and what it does not prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure

from genwindow.errors import check
from genwindow.files import write_atomically
from genwindow.report.rendering import render
from genwindow.report.sections import picture


@dataclass(frozen=True)
class Tile:
    """A number at the head of the page.

    Attributes:
        name: what it is.
        number: the number, as text.
        note: the small print under it.
        kind: its colour: `generate`, `copy`, `window` or `plain`.
    """

    name: str
    number: str
    note: str
    kind: str = "plain"


@dataclass(frozen=True)
class StudyPage:
    """What the page shows.

    Attributes:
        title: heading.
        answer: the sentence under it.
        figures: each with its description in words.
        tiles: numbers at the head.
        rows: of the table, at least one; all with the same columns.
        found: paragraphs on what was found.
        limits: paragraphs on what it does not prove.
        settings: name and value of each.
        refresh: seconds after which the page loads itself again; 0 for never.
    """

    title: str
    answer: str
    figures: tuple[tuple[Figure, str], ...]
    tiles: tuple[Tile, ...]
    rows: tuple[Mapping[str, str], ...]
    found: tuple[str, ...]
    limits: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    refresh: int = 0

    def __post_init__(self) -> None:
        check(len(self.rows) > 0, "StudyPage.rows must hold at least one row, got none")
        columns = {tuple(row) for row in self.rows}
        check(len(columns) == 1, f"StudyPage.rows must all have the same columns, got {sorted(columns)}")


def render_study(content: StudyPage) -> str:
    """The page as HTML text; the same content gives the same bytes."""
    return render(
        "study.html.j2",
        content=content,
        columns=list(content.rows[0]),
        pictures=[picture(figure, words, words) for figure, words in content.figures],
    )


def write_study(path: Path | str, content: StudyPage) -> None:
    """Write the page; it appears complete or not at all."""
    write_atomically(Path(path), render_study(content))
