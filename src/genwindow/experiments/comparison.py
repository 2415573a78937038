"""A comparison: what several runs of different n say together. Used by every experiment and by `genwindow report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genwindow.analysis import Collapse, PowerLaw, collapse, fit_power_law
from genwindow.curve import Curve
from genwindow.experiments.pilots import MAY_DIFFER, MEASURING
from genwindow.report import PageContent
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunResult, varying


@dataclass(frozen=True)
class Comparison:
    """Runs ordered by n, with the law of tau_mem and the collapse of f_mem.

    Attributes:
        runs: ordered by n.
        scaling: the fit of tau_mem against n; None when all runs have one n, or differ in more than n, seed and length.
        collapsed: f_mem against tau/n; None likewise.
    """

    runs: tuple[RunResult, ...]
    scaling: PowerLaw | None
    collapsed: Collapse | None

    def page(self, title: str, paragraphs: Sequence[str] = ()) -> PageContent:
        """The content of a report page about these runs."""
        return PageContent(title, self.runs, self.scaling, self.collapsed, tuple(paragraphs))

    def summary(self) -> dict[str, Any]:
        """Plain JSON: per run n, timescales, final f_mem and floor; the exponent of the law."""
        scaling = {} if self.scaling is None else {
            "exponent": self.scaling.exponent.to_json(),
            "local_slopes": self.scaling.local_slopes.tolist(),
        }  # fmt: skip
        return {"runs": [_run_summary(run) for run in self.runs], "scaling": scaling}


def compare(runs: Sequence[RunResult]) -> Comparison:
    """Order runs by n, fit the law, collapse the curves. Runs without measurements stay, with unknown timescales."""
    ordered = tuple(sorted(runs, key=lambda run: run.n))
    others = [
        name for name in varying([run.config for run in ordered]) if not name.startswith((*MAY_DIFFER, MEASURING))
    ]
    if len({run.n for run in ordered}) < 2 or others:
        return Comparison(ordered, None, None)
    scaling = fit_power_law([r.n for r in ordered], [r.estimates.get("tau_mem", UNKNOWN) for r in ordered])
    measured: list[tuple[Curve, int]] = [(c, r.n) for r in ordered for c in r.curves_named("f_mem")]
    return Comparison(ordered, scaling, collapse([c for c, _ in measured], [n for _, n in measured]))


def _run_summary(run: RunResult) -> dict[str, Any]:
    estimates = {k: run.estimates.get(k, UNKNOWN) for k in ("tau_gen", "tau_mem", "tau_gen_loss", "tau_mem_loss")}
    found = {k: run.estimates.get(k, UNKNOWN) for k in ("f_mem_final", "floor")}
    intervals = {f"{k}_interval": [e.low, e.high] for k, e in found.items()}
    return {
        "n": run.n,
        **{k: e.to_json() for k, e in estimates.items()},
        **{k: e.value for k, e in found.items()},
        **intervals,
        "status": run.status,
    }
