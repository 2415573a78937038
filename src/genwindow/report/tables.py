"""Tables: one row per run for people, and the settings behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from genwindow.curve import Estimate, short
from genwindow.report.labels import labels
from genwindow.report.window import UNKNOWN, tells_nothing, window
from genwindow.report.words import last_step, percent
from genwindow.runs.config import flat, plain
from genwindow.runs.result import RunResult

WINDOW_WORDS = {"open": "open", "open_end": "open to the end", "closed": "closed", "unknown": "not known"}


@dataclass(frozen=True)
class Row:
    """One run in the results table; every field is text for a person.

    Attributes:
        label: `n = 64`.
        n: training-set size.
        tau_gen: training time to quality, with its interval.
        tau_mem: training time to copying, with its interval.
        tau_gen_loss: the second estimate of tau_gen, from the held-out loss.
        tau_mem_loss: the second estimate of tau_mem, from the split of training and held-out loss.
        f_mem: memorized fraction at the end, with its interval.
        floor: the same of held-out real images.
        window: whether the window is open.
        state: the same as a key: `open`, `open_end`, `closed`, `unknown`.
        status: the state of the run; empty when it is done.
    """

    label: str
    n: int
    tau_gen: str
    tau_mem: str
    tau_gen_loss: str
    tau_mem_loss: str
    f_mem: str
    floor: str
    window: str
    state: str
    status: str


def result_rows(runs: Sequence[RunResult]) -> tuple[Row, ...]:
    """One row per run, in the order given."""
    return tuple(_row(run, label) for run, label in zip(runs, labels(runs), strict=True))


def _row(run: RunResult, label: str) -> Row:
    found = window(run)
    words = WINDOW_WORDS[found.state] + ("" if found.sure or found.state == "unknown" else ", intervals overlap")
    end = last_step(run)
    if found.state == "open_end" and end is not None and found.tau_mem.low and found.tau_mem.low < end:
        words = f"open up to {short(found.tau_mem.low)}"  # later copying may have begun, not surely
    return Row(
        label=label,
        n=run.n,
        tau_gen=time_text(found.tau_gen, run),
        tau_mem="not known" if tells_nothing(found.tau_mem) else time_text(found.tau_mem, run),
        tau_gen_loss=time_text(run.estimates.get("tau_gen_loss", UNKNOWN), run),
        tau_mem_loss=time_text(run.estimates.get("tau_mem_loss", UNKNOWN), run),
        f_mem=percent(run.estimates.get("f_mem_final", UNKNOWN)),
        floor=percent(run.estimates.get("floor", UNKNOWN)),
        window=words,
        state=found.state,
        status="" if run.status == "done" else run.state,
    )


def time_text(estimate: Estimate, run: RunResult) -> str:
    """A training time; where it was not reached, the lower bound, or the words when the data give no useful bound."""
    if estimate.status == "not_reached" and not estimate.low:
        return "not reached" if last_step(run) is not None else "-"
    return str(estimate)


def text_table(runs: Sequence[RunResult]) -> str:
    """The results table in plain text, for a terminal."""
    table = result_rows(runs)
    plain_n = len({r.n for r in table}) == len(table)
    head = ("n" if plain_n else "run", "tau_gen", "tau_mem", "final f_mem", "floor", "window", "")
    rows = [
        (str(r.n) if plain_n else r.label, r.tau_gen, r.tau_mem, r.f_mem, r.floor, r.window, r.status) for r in table
    ]
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in (head, *rows)]
    return "\n".join([lines[0], "-" * sum(widths, 2 * (len(head) - 2)), *lines[1:]])


def settings_rows(runs: Sequence[RunResult]) -> tuple[tuple[str, str], ...]:
    """Every setting with its value; where runs differ, their values in order."""
    tables = [flat(run.config) for run in runs]
    rows = []
    for name in tables[0]:
        values = [plain(table[name]) for table in tables]
        rows.append((name, values[0] if len(set(values)) == 1 else ", ".join(values)))
    return tuple(rows)


def provenance_rows(runs: Sequence[RunResult]) -> tuple[tuple[str, ...], ...]:
    """For each run: name, folder, state, trained parameters, duplicates in the training set, duration, digest."""
    return tuple(
        (
            label,
            run.folder.name,
            run.state,
            f"{run.parameters:,}" if run.parameters else "-",
            str(run.duplicates),
            duration(run.seconds),
            run.config.digest,
        )
        for run, label in zip(runs, labels(runs), strict=True)
    )


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`; `-` when no time was recorded."""
    whole = round(seconds)
    if whole <= 0:
        return "-"
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
