"""How often the audit accuses an honest generator whose images are of several kinds.

Scores of samples and of real images come from one law: each image is of a kind with its own dimension D, whose scores
fall below s with probability s^D. An honest generator should be accused in at most 1 % of all audits. So it is where
every kind is common; a rare kind of much simpler images is not seen in the real ones, and the third test extrapolates.
No bar; docs/audit.md quotes the numbers. Takes seconds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwindow.audit.verdict import decide

AUDITS = 300
KINDS = {
    "one kind, D = 10": ((1.0, 10.0),),
    "D = 15, and 5 for one image in 10": ((0.9, 15.0), (0.1, 5.0)),
    "D = 5, 10, 20 and 40": ((0.09, 5.0), (0.18, 10.0), (0.37, 20.0), (0.36, 40.0)),
    "D = 20, and 3 for one image in 100": ((0.99, 20.0), (0.01, 3.0)),
    "D = 20, and 2 for one image in 500": ((0.998, 20.0), (0.002, 2.0)),
}
SIZES = ((500, 500), (2000, 400), (5000, 1000))


def scores(rng: np.random.Generator, kinds: tuple[tuple[float, float], ...], count: int) -> NDArray[np.float64]:
    share, dimension = (np.array(column) for column in zip(*kinds, strict=True))
    return rng.random(count) ** (1 / rng.choice(dimension, count, p=share / share.sum()))


def main() -> None:
    rng = np.random.default_rng(0)
    print(f"share of {AUDITS} audits that accuse an honest generator")
    print(f"{'samples / real images':<38}" + "".join(f"{f'{n} / {m}':>14}" for n, m in SIZES))
    for name, kinds in KINDS.items():
        shares = [
            np.mean(
                [decide(scores(rng, kinds, n), scores(rng, kinds, m)).verdict == "copies_found" for _ in range(AUDITS)]
            )
            for n, m in SIZES
        ]
        print(f"{name:<38}" + "".join(f"{100 * share:>12.1f} %" for share in shares), flush=True)


if __name__ == "__main__":
    main()
