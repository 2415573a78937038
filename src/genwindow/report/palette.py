"""What each colour means, in every figure and on the page.

Blue always belongs to generating (quality, tau_gen) and vermillion to copying (f_mem, tau_mem), after Okabe and Ito's
palette for all kinds of colour vision. Training-set sizes take an ordered scale from dark violet to green, so that a
larger n is always lighter. No colour carries a meaning alone: markers, line styles or words repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
from matplotlib.colors import to_hex

GENERATE = "#0069a8"
COPY = "#c2410c"
WINDOW = "#8fd1b0"
INK = "#1c2430"
MUTED = "#5b6675"
RULE = "#d8dde4"


def ordered_colours(count: int, scale: str = "viridis", start: float = 0.02, stop: float = 0.76) -> tuple[str, ...]:
    """`count` colours in order along a trimmed colour scale, dark to light, as `#rrggbb`."""
    colours = matplotlib.colormaps[scale]
    middle = (start + stop) / 2
    shares = [middle] if count == 1 else [start + (stop - start) * i / (count - 1) for i in range(count)]
    return tuple(to_hex(colours(share)) for share in shares)


def size_colours(sizes: Sequence[int]) -> dict[int, str]:
    """One colour for each training-set size, the same wherever that size is drawn."""
    distinct = sorted(set(sizes))
    return dict(zip(distinct, ordered_colours(len(distinct)), strict=True))
