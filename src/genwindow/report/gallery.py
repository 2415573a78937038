"""The gallery: generated samples along training beside their nearest training images, packed for a page.

All samples of one run share one picture (a sprite sheet), and so do the training images they come near to, each stored
once. What does not fit the byte budget is thinned in a fixed order (times, samples, pixels), never by content.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genwindow.report.window import PHASE_WORDS, phase, window
from genwindow.runs.result import Gallery, RunResult


@dataclass(frozen=True)
class Sheets:
    """The pictures of one run's gallery, thinned to a budget.

    Attributes:
        step: (T,) gradient steps kept.
        generated: (T, K, H, W, C) 8-bit samples kept.
        nearest: (M, H, W, C) the distinct training images they come near to.
        which: (T, K) row of `nearest` for each sample.
        index: (M,) which training image each row is.
        ratio: (T, K) distance ratios d1/d2.
    """

    step: NDArray[np.int64]
    generated: NDArray[np.uint8]
    nearest: NDArray[np.uint8]
    which: NDArray[np.int64]
    index: NDArray[np.int64]
    ratio: NDArray[np.float64]


def sheets(gallery: Gallery, budget: int, *, most: int = 12) -> Sheets:
    """Thin a gallery until its raw pixels fit `budget` bytes: at most `most` samples, first and last time always kept.

    Args:
        gallery: samples and nearest training images.
        budget: bytes for generated and nearest pixels together.
        most: how many samples of each time to show at most; the first ones are taken.
    """
    count, cards, height, width, channels = gallery.generated.shape
    cards, times, shrink = min(cards, most), count, 1

    def kept() -> NDArray[np.int64]:
        return np.unique(np.linspace(0, count - 1, times).round().astype(np.int64))

    def size() -> int:
        near = len(np.unique(gallery.nearest_index[kept(), :cards]))
        return (len(kept()) * cards + near) * channels * (height // shrink) * (width // shrink)

    for fewest_times, fewest_cards in ((14, most), (14, 8), (8, 6)):
        while size() > budget and times > fewest_times:
            times -= 1
        while size() > budget and cards > fewest_cards:
            cards -= 1
    while size() > budget and min(height, width) // (shrink + 1) >= 16:
        shrink += 1
    keep = kept()
    index, first, which = np.unique(gallery.nearest_index[keep, :cards], return_index=True, return_inverse=True)
    near = gallery.nearest[keep, :cards].reshape(-1, height, width, channels)[first]
    return Sheets(
        gallery.step[keep],
        _shrunk(gallery.generated[keep, :cards], shrink),
        _shrunk(near, shrink),
        which.reshape(len(keep), cards).astype(np.int64),
        index,
        gallery.ratio[keep, :cards],
    )


def _shrunk(images: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Images (..., H, W, C) averaged over squares of `factor` pixels; rows and columns left over are cut."""
    if factor == 1:
        return images
    *lead, height, width, channels = images.shape
    h, w = height // factor, width // factor
    cut = images[..., : h * factor, : w * factor, :].reshape(*lead, h, factor, w, factor, channels)
    return cut.mean(axis=(-4, -2)).round().astype(np.uint8)


def png_uri(images: NDArray[np.uint8], columns: int) -> str:
    """Images (N, H, W, C) side by side, `columns` in a row, as a PNG data URI."""
    count, height, width, channels = images.shape
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * columns, height, width, channels), dtype=np.uint8)
    sheet[:count] = images
    sheet = sheet.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    sheet = sheet.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def gallery_data(run: RunResult, label: str, budget: int) -> dict[str, Any] | None:
    """Everything the page's script needs for one run, as plain JSON values; None when the run kept no image."""
    if run.gallery is None or not run.gallery.generated.size:
        return None
    kept = sheets(run.gallery, budget)
    times, cards, height, width, _ = kept.generated.shape
    columns = min(len(kept.nearest), 32)
    found = window(run)
    return {
        "label": label,
        "threshold": run.config.measure.threshold,
        "limit": limit_words(run.config.measure.threshold),
        "height": height,
        "width": width,
        "columns": {"generated": cards, "nearest": columns},
        "generated": png_uri(kept.generated.reshape(times * cards, *kept.generated.shape[2:]), cards),
        "nearest": png_uri(kept.nearest, columns),
        "index": kept.index.tolist(),
        "frames": [_frame(run, kept, i) for i in range(times)],
        "times": [
            {"name": name, "kind": kind, "at": place(kept.step, estimate.value), "text": str(estimate)}
            for name, kind, estimate in (("gen", "generate", found.tau_gen), ("mem", "copy", found.tau_mem))
        ],
        "state": found.state,
    }


def _frame(run: RunResult, kept: Sheets, i: int) -> dict[str, Any]:
    step = int(kept.step[i])
    value, low, high = _f_mem_at(run, step)
    where = phase(run, step)
    ratios = [round(float(r), 6) if math.isfinite(r) else None for r in kept.ratio[i]]
    return {
        "step": step,
        "f_mem": value,
        "low": low,
        "high": high,
        "phase": where,
        "words": PHASE_WORDS[where],
        "ratio": ratios,
        "near": kept.which[i].tolist(),
    }


def _f_mem_at(run: RunResult, step: int) -> tuple[float | None, float | None, float | None]:
    """Measured f_mem with its interval at exactly this step, or nothing."""
    for curve in run.curves_named("f_mem"):
        at = np.flatnonzero(curve.tau == step)
        if len(at):
            i = int(at[0])
            low = None if curve.low is None else float(curve.low[i])
            return float(curve.value[i]), low, None if curve.high is None else float(curve.high[i])
    return None, None, None


def place(step: NDArray[np.int64], tau: float | None) -> float | None:
    """Where a training time lies on the slider, from 0 at the first frame to 1 at the last, logarithmic in between."""
    if tau is None or tau <= 0 or len(step) < 2 or tau > step[-1] or tau < step[0]:
        return None
    logs = np.log(np.maximum(step, 1e-9))
    return float(np.interp(math.log(tau), logs, np.linspace(0, 1, len(step))))


def still_cards(run: RunResult, budget: int) -> list[dict[str, Any]]:
    """The last time of a run's gallery as single pictures, for readers without scripts."""
    if run.gallery is None or not run.gallery.generated.size:
        return []
    kept = sheets(run.gallery, budget)
    cards = []
    for k, ratio in enumerate(kept.ratio[-1]):
        row = int(kept.which[-1, k])
        cards.append(
            {
                "generated": png_uri(kept.generated[-1, k][None], 1),
                "nearest": png_uri(kept.nearest[row][None], 1),
                "index": int(kept.index[row]),
                "ratio": ratio_words(ratio, run.config.measure.threshold) if math.isfinite(ratio) else "-",
                "copy": bool(ratio < run.config.measure.threshold),
            }
        )
    return cards


def ratio_words(ratio: float, threshold: float) -> str:
    """A ratio with two decimals, or as many as it takes to lie on the same side of the threshold: `0.32`, `0.334`."""
    texts = (f"{ratio:.{n}f}" for n in range(2, 7))
    return next((text for text in texts if (float(text) < threshold) == (ratio < threshold)), f"{ratio:.6f}")


def limit_words(threshold: float) -> str:
    """A threshold of ratios in three digits; a third as `1/3`."""
    return "1/3" if math.isclose(threshold, 1 / 3, rel_tol=1e-6) else f"{threshold:.3g}"


def last_frame(run: RunResult) -> str:
    """`step 20k, f_mem 63 %, copying`: the last time of a run's gallery in words."""
    if run.gallery is None or not len(run.gallery.step):
        return ""
    step = int(run.gallery.step[-1])
    value = _f_mem_at(run, step)[0]
    share = "" if value is None else f", f_mem {100 * value:.3g} %"
    return f"step {step:,}{share}, {PHASE_WORDS[phase(run, step)]}"
