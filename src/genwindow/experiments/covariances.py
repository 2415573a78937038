"""Covariances of the theory by name: a law in its short form, or that of a set of images."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.errors import GenwindowError, check
from genwindow.theory import Covariance


def covariance_of(spec: str) -> Covariance:
    """A covariance from its short form.

    `isotropic`, `isotropic:2`, `atoms:0.5,1.5`, `power-law:0.7`, `marchenko-pastur:0.5`, or `data:NAME` with a named
    set or a path of images, whose pixels are scaled to variance 1.

    Raises:
        GenwindowError: when it is none of these.
    """
    kind, _, rest = spec.partition(":")
    if kind == "data" and rest:
        from genwindow.data import open_images

        return covariance_of_images(open_images(rest).pixels, rest)
    try:
        numbers = [float(x) for x in rest.split(",")] if rest else []
    except ValueError:
        numbers = [math.nan]
    makers: dict[str, Callable[[], Covariance]] = {
        "isotropic": lambda: Covariance.isotropic(*numbers),
        "atoms": lambda: Covariance.atoms(numbers),
        "power-law": lambda: Covariance.power_law(numbers[0]),
        "marchenko-pastur": lambda: Covariance.marchenko_pastur(*numbers),
    }
    counts = {"isotropic": (0, 1), "power-law": (1, 1), "marchenko-pastur": (1, 1), "atoms": (1, 10**6)}
    low, high = counts.get(kind, (1, 0))
    if not (low <= len(numbers) <= high and np.isfinite(numbers).all()):
        allowed = "isotropic, isotropic:2, atoms:0.5,1.5, power-law:0.7, marchenko-pastur:0.5 or data:digits"
        raise GenwindowError(f"covariance must be {allowed}; got {spec!r}")
    return makers[kind]()


def covariance_of_images(images: NDArray[Any], name: str) -> Covariance:
    """The covariance of (n, ...) images scaled to variance 1, shrunk; `name` says whose it is."""
    pixels = images.reshape(len(images), -1).astype(np.float64)
    spread = float((pixels - pixels.mean(0)).std())
    check(spread > 0, f"covariance data:{name}: all images are equal")
    found = Covariance.from_data(pixels / spread)
    return Covariance(found.values, found.weights, f"{name}, {found.text}")
