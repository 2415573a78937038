"""A watched training, shown: a page that renews itself, and the same in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from genwindow.curve import Curve, Estimate, short
from genwindow.report.palette import COPY, GENERATE, ordered_colours
from genwindow.report.panels import Line, Panel, panels_figure
from genwindow.report.study import StudyPage, Tile
from genwindow.report.window import UNKNOWN
from genwindow.report.words import percent
from genwindow.runs.watched import Watched

REFRESH = 15
"""Seconds after which the page of a training that goes on loads itself again."""

STATES = {
    "before_window": "before the window",
    "in_window": "in the window",
    "closing": "closing",
    "memorizing": "memorizing",
    "cannot_tell": "cannot tell",
}

TOPS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""Ends of the axis of copies, where they are few."""

BARS = "▁▂▃▄▅▆▇█"

LIMITS = (
    "A verdict is about near copies in pixel distance. It is no proof of privacy.",
    "What held-out images cannot show, the monitor cannot know: few of them leave the floor uncertain.",
)


def watch_page(watched: Watched) -> StudyPage:
    """The page of a training: verdict, curves, every measuring time.

    Args:
        watched: what is known; without a measuring time the page says so.
    """
    verdict = watched.verdict
    return StudyPage(
        title=f"Watching {watched.folder.name or watched.folder}",
        answer="Nothing was measured yet." if verdict is None else verdict.text,
        figures=tuple((panels_figure([panel], columns=1), words) for panel, words in _panels(watched)),
        tiles=_tiles(watched),
        rows=tuple(_rows(watched)) or ({"step": "-", "verdict": "nothing measured yet"},),
        found=tuple(v.text for v in watched.verdicts[-1:]),
        limits=LIMITS,
        refresh=0 if watched.finished else REFRESH,
    )


def _tiles(watched: Watched) -> tuple[Tile, ...]:
    verdict, found = watched.verdict, watched.estimates
    if verdict is None:
        return ()
    at = f"at step {short(verdict.step)}, training is {watched.status}"
    tiles = [Tile("verdict", STATES[verdict.state], at, "copy" if verdict.should_stop else "window")]
    tiles.append(Tile("stop", "yes" if verdict.should_stop else "no", "what the rule says", "plain"))
    if verdict.tau_mem.value is not None:
        left = f"90 %: {short(verdict.tau_mem.low)} to {short(verdict.tau_mem.high)}"
        tiles.append(Tile("tau_mem", short(verdict.tau_mem.value), f"copying expected, {left}", "copy"))
    if "tau_gen" in found:
        tiles.append(Tile("tau_gen", str(found["tau_gen"]), "steps to quality, by the best samples so far", "generate"))
    return tuple(tiles)


def _panels(watched: Watched) -> list[tuple[Panel, str]]:
    steps = "training steps τ"
    by_name = {name: [c for c in watched.curves if c.name == name] for name in ("f_mem", "frechet")}
    train = sorted((c for c in watched.curves if c.name == "train_loss"), key=lambda c: c.t or 0)
    heldout = sorted((c for c in watched.curves if c.name == "heldout_loss"), key=lambda c: c.t or 0)
    colours = ordered_colours(max(len(train), len(heldout), 1), "viridis", 0.1, 0.8)
    losses = [Line(f"t = {c.t:g}", c, colour) for c, colour in zip(heldout, colours, strict=False)]
    losses += [
        Line("" if heldout else f"t = {c.t:g}", c, colour, dashed=True)
        for c, colour in zip(train, colours, strict=False)
    ]
    copies = by_name["f_mem"]
    highest = max((float(np.max(c.value if c.high is None else c.high)) for c in copies), default=1.0)
    top = next((top for top in TOPS if highest <= top), 1.0)
    panels = [
        (
            Panel("copies", steps, "f_mem", [Line("", c, COPY) for c in copies], shares=True, top=top),
            "Share of samples that are near copies of a training image, with its 95 % interval.",
        ),
        (
            Panel("sample quality", steps, "Fréchet distance", [Line("", c, GENERATE) for c in by_name["frechet"]]),
            "Distance of samples from held-out images; smaller is better.",
        ),
        (
            Panel("held-out (solid) and training loss", steps, "denoising loss", losses),
            "Losses at fixed diffusion times. They split before samples are copies.",
        ),
    ]
    return [(panel, words) for panel, words in panels if panel.content] or panels[:1]


def _rows(watched: Watched) -> list[dict[str, str]]:
    f_mem, frechet = (_column(watched.curves, name) for name in ("f_mem", "frechet"))
    return [
        {
            "step": short(v.step),
            "verdict": STATES[v.state] + (", stop" if v.should_stop else ""),
            "f_mem": f_mem.get(v.step, "-"),
            "Fréchet distance": frechet.get(v.step, "-"),
            "tau_mem expected": str(v.tau_mem),
        }
        for v in reversed(watched.verdicts)
    ]


def _column(curves: Sequence[Curve], name: str) -> dict[int, str]:
    for curve in curves:
        if curve.name == name and curve.low is not None and curve.high is not None:
            rows = zip(curve.tau, curve.value, curve.low, curve.high, strict=True)
            estimates = {int(t): Estimate(v, low, high, "found", "measured", "") for t, v, low, high in rows}
            return {t: percent(e) if name == "f_mem" else str(e) for t, e in estimates.items()}
    return {}


def watch_text(watched: Watched, width: int = 80) -> str:
    """The same for a terminal: one screen of text without colours.

    Args:
        watched: what is known.
        width: columns of the terminal.
    """
    of = f" of {short(watched.steps)}" if watched.steps else ""
    lines = [f"{watched.folder}  {watched.status}, step {short(watched.step)}{of}", ""]
    verdict = watched.verdict
    if verdict is None:
        return "\n".join([*lines, "Nothing was measured yet."])
    lines += [*_wrapped(f"{STATES[verdict.state].upper()}. {verdict.text}", width), ""]
    floor = watched.estimates.get("floor", UNKNOWN)
    for curve in watched.curves:
        if curve.name in ("f_mem", "frechet") or (curve.name.endswith("_loss") and curve.t is not None):
            name = curve.name if curve.t is None else f"{curve.name} t={curve.t:g}"
            last = f"{curve.value[-1]:.2%}" if curve.name == "f_mem" else f"{curve.value[-1]:.4g}"
            beside = f"  (real images {percent(floor)})" if curve.name == "f_mem" and floor.found else ""
            lines.append(f"{name:20.20} {spark(curve.value, max(width - 45, 8))} {last}{beside}"[:width])
    times = [f"{name} {watched.estimates[name]}" for name in ("tau_gen", "tau_mem") if name in watched.estimates]
    return "\n".join([*lines, "", *_wrapped("   ".join(times), width)]).rstrip()


def spark(values: np.ndarray, most: int) -> str:
    """Numbers as a line of bars, the last `most` of them, lowest to highest."""
    kept = np.asarray(values, dtype=np.float64)[-most:]
    low, high = float(kept.min()), float(kept.max())
    if high <= low:
        return BARS[0] * len(kept)
    return "".join(BARS[int(round((v - low) / (high - low) * (len(BARS) - 1)))] for v in kept)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20)) or [""]
