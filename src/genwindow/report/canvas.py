"""A canvas: a matplotlib `Figure` in the report's style, and its way to SVG text or a PNG file.

No pyplot and no lasting global state: style is set for the moment of drawing only. Labels name the paper's symbols as
`τ_gen`, `τ_mem`, `f_mem`, `ψ_n`, `ψ_p`; the subscripts are set when the figure is written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from genwindow.curve import short
from genwindow.files import write_atomically
from genwindow.report.palette import INK, MUTED, RULE

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

STYLE: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 11,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.dpi": 100,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10.5,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.fontsize": 10,
    "legend.borderpad": 0.25,
    "legend.edgecolor": "none",
    "legend.facecolor": "white",
    "legend.framealpha": 0.75,
    "legend.handlelength": 1.6,
    "lines.linewidth": 2.0,
    "mathtext.fontset": "dejavusans",
    "svg.fonttype": "none",
    "svg.hashsalt": "genwindow",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}

SYMBOL = re.compile(r"(τ|f|ψ)_(gen|mem|[np])\b|n\^([\d.]+)")

GREEK = {"τ": r"\tau", "ψ": r"\psi"}


def style() -> AbstractContextManager[None]:
    """The report's drawing style, for the length of a `with` block."""
    return matplotlib.rc_context(STYLE)


def new_figure(width: float = 4.4, height: float = 3.3) -> Figure:
    """An empty figure; sizes in inches. 4.4 inches fill a phone with text of about 11 pixels."""
    return Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same bytes for the same figure: no date, no random names."""
    buffer = io.StringIO()
    with style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace("'DejaVu Sans', sans-serif", FONTS).replace("'DejaVu Sans'", FONTS)
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = SYMBOL.sub(_spans, text)
    return re.sub(r"\s*\n\s*", " ", text).replace("> <", "><").strip()


def _spans(symbol: re.Match[str]) -> str:
    """One symbol with its subscript or exponent as SVG text; the empty span brings the baseline back."""
    letter, index, power = symbol.groups()
    small, shift, back = (power, "-0.36em", "0.27em") if power else (index, "0.22em", "-0.16em")
    return f'{letter or "n"}<tspan dy="{shift}" font-size="75%">{small}</tspan><tspan dy="{back}">&#8203;</tspan>'


def _mathtext(symbol: re.Match[str]) -> str:
    """One symbol in matplotlib's notation."""
    letter, index, power = symbol.groups()
    if power:
        return f"n$^{{{power}}}$"
    return f"${GREEK.get(letter, letter)}_\\mathrm{{{index}}}$"


def png(figure: Figure, path: Path | str, *, dpi: int = 160) -> None:
    """Write the figure as a PNG file; it appears complete or not at all.

    Raises:
        GenwindowError: when the file cannot be written.
    """
    buffer = io.BytesIO()
    labels = [t for t in figure.findobj(Text) if isinstance(t, Text) and SYMBOL.search(t.get_text())]
    plain = [label.get_text() for label in labels]
    try:
        for label, text in zip(labels, plain, strict=True):
            label.set_text(SYMBOL.sub(_mathtext, text))
        with style():
            figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    finally:
        for label, text in zip(labels, plain, strict=True):
            label.set_text(text)
    write_atomically(Path(path), buffer.getvalue())


def span(times: Sequence[NDArray[np.float64]], fallback: tuple[float, float] = (1.0, 10.0)) -> tuple[float, float]:
    """The smallest positive and the largest of all `times`, apart from each other."""
    positive = np.concatenate([t[t > 0] for t in times]) if len(times) else np.empty(0)
    if not len(positive):
        return fallback
    low, high = float(positive.min()), float(positive.max())
    return (low, high) if high > low else (low / 2, high * 2)


def log_axis(axis: XAxis | YAxis, low: float, high: float, *, pad: float = 1.08) -> None:
    """Make `axis` logarithmic from `low / pad` to `high * pad`, with ticks such as 100, 1k, 10k, two at least."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log", f"{axis.axis_name}lim": (low / pad, high * pad)})
    decades = np.log10(high / low)
    subs = (1,) if decades > 2.5 else (1, 3) if decades > 1.2 else (1, 2, 5) if decades > 0.6 else (1, 2, 3, 5, 7)
    axis.set_major_locator(LogLocator(base=10 if decades <= 8 else 100, subs=subs, numticks=12))
    if sum(low / pad <= tick <= high * pad for tick in axis.get_majorticklocs()) < 2:
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


def size_axis(axis: XAxis | YAxis, sizes: Sequence[float]) -> None:
    """Make `axis` logarithmic with a tick at each training-set size, where there is room for its label."""
    log_axis(axis, min(sizes), max(sizes), pad=1.3)
    ticks = sorted(set(sizes))
    room = (max(ticks) / min(ticks)) ** 0.09
    shown = [ticks[0]]
    for size in ticks[1:]:
        if size >= shown[-1] * room:
            shown.append(size)
    axis.set_major_locator(FixedLocator(shown))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def percent_axis(axes: Axes, top: float = 1.0) -> None:
    """A vertical axis for shares from 0 to `top`, labelled in per cent."""
    axes.set_ylim(-0.03 * top, 1.05 * top)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))


def note(axes: Axes, text: str) -> None:
    """Write `text` in the middle of axes that have nothing to draw."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
