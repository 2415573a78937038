"""Images from anything, their division into sets, and point clouds whose law is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genwindow.data.centring import Centring
from genwindow.data.duplicates import Duplicates, find_duplicates
from genwindow.data.heavy_tails import heavy_tailed
from genwindow.data.images import Images
from genwindow.data.named import named_set, open_images
from genwindow.data.power_law import power_law_points, power_law_variances
from genwindow.data.regression import Labelled, RegressionTask
from genwindow.data.sources import load_images
from genwindow.data.splits import Split, split

if TYPE_CHECKING:
    from genwindow.data.mixture import GaussianMixture

__all__ = [
    "Centring",
    "Duplicates",
    "GaussianMixture",
    "Images",
    "Labelled",
    "RegressionTask",
    "Split",
    "find_duplicates",
    "heavy_tailed",
    "load_images",
    "named_set",
    "open_images",
    "power_law_points",
    "power_law_variances",
    "split",
]


def __getattr__(name: str) -> Any:
    """Load the one part that needs torch when it is asked for, so that reading images does not import torch."""
    if name == "GaussianMixture":
        from genwindow.data.mixture import GaussianMixture

        return GaussianMixture
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
