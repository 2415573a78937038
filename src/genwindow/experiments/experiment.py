"""An experiment of the paper: the runs it needs at each scale, and what they show together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from genwindow.experiments.settings import Scale
from genwindow.report import PageContent
from genwindow.runs import Enough, RunConfig, RunResult


@dataclass(frozen=True, eq=False)
class Finding:
    """What an experiment has found.

    Attributes:
        summary: plain JSON.
        sentences: the same for people, one thought each.
        figure: in the form of the paper's.
        caption: what to look at in it.
    """

    summary: dict[str, Any]
    sentences: tuple[str, ...]
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: on the command line.
        title: heading of its page.
        claim: what the paper says, in a sentence.
        configs: the runs it needs at a scale.
        analyse: what they show.
        enough: what ends each of its runs before its last step, if anything.
    """

    name: str
    title: str
    claim: str
    configs: Callable[[Scale], Sequence[RunConfig]]
    analyse: Callable[[Sequence[RunResult]], Finding]
    enough: Enough | None = None

    def page(self, runs: Sequence[RunResult], finding: Finding, scale: Scale) -> PageContent:
        """The content of the report page."""
        ordered = tuple(sorted(runs, key=lambda run: run.n))
        answer = finding.sentences[0] if finding.sentences else ""
        paragraphs = (f"The claim: {self.claim}", *finding.sentences[1:])
        if scale == "smoke":
            answer, paragraphs = SMOKE, (answer, *paragraphs)
        return PageContent(
            self.title, ordered, paragraphs=paragraphs, answer=answer, figures=((finding.figure, finding.caption),)
        )


SMOKE = "Smoke scale: a few steps of tiny networks. It shows that the experiment runs, and nothing about the claim."
"""What the page of the smallest scale says first."""
