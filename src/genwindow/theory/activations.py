"""An activation: the function applied to the random features, by name or as any vectorised callable."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, eval_hermitenorm, factorial, ndtr

from genwindow.errors import GenwindowError

Array = NDArray[np.float64]
Activation = str | Callable[[Array], Array]

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": np.tanh,
    "erf": erf,
    "sin": np.sin,
    "relu": lambda x: np.maximum(x, 0.0),
    "gelu": lambda x: x * ndtr(x),
}
"""The activations that have a name; `hermite1`, `hermite2`, ... are the normalised Hermite polynomials beside them."""


def named_activation(activation: Activation) -> Callable[[Array], Array]:
    """The function itself: `activation` when it is callable, else the one of that name.

    Args:
        activation: a name in `ACTIVATIONS`, `hermiteK` for the polynomial He_K(x)/sqrt(K!), or a vectorised callable.

    Raises:
        GenwindowError: for an unknown name.
    """
    if callable(activation):
        return activation
    if activation in ACTIVATIONS:
        return ACTIVATIONS[activation]
    found = re.fullmatch(r"hermite([1-9]\d?)", str(activation))
    if not found:
        known = ", ".join([*ACTIVATIONS, "hermite1", "hermite2", "..."])
        raise GenwindowError(f"activation must be one of {known}, or a function of an array; got {activation!r}")
    k = int(found[1])
    scale = float(np.sqrt(factorial(k)))
    return lambda x: eval_hermitenorm(k, x) / scale


def activation_name(activation: Activation) -> str:
    """What to call it in titles and files."""
    return activation if isinstance(activation, str) else getattr(activation, "__name__", "custom")
