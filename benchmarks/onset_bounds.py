"""How often the intervals and bounds of tau_mem hold the true time.

1. `tau_mem`, by the floor and the number of looks: of the samples that are no copies by chance, a share
   1 - exp(-0.01 (tau / 5000)^growth) copies; counts are binomial, at steps 100 to 20,000. The band of f_mem is 95 % for
   each look by itself; where the floor is not small, one of many looks is above the level by chance. Bar: 95 % where
   the floor is at most 3 %.
2. `outlook`, 90 %, with 400 held-out images and 512 samples a look: runs drawn from its priors, at 9 looks (bar: 90 %);
   and, another question, runs with a floor of 0.2 % last looked at between half and three times their onset (no bar).

600 runs a line, standard error about 1 %; bars within 2.6 of it. Exit code 1 when one is missed.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from genwindow.analysis import binomial_estimate, binomial_interval, tau_mem
from genwindow.analysis.outlook import REACH, Look, outlook
from genwindow.curve import Curve

RUNS, TIME, EPS = 600, 5000.0, 0.01
CASES = [  # floor, samples, held-out images, looks an octave, growth
    (0.0, 512, 360, 3, 2), (0.01, 1000, 360, 3, 2), (0.02, 1000, 100, 2, 1), (0.03, 1000, 360, 2, 1),
    (0.05, 256, 100, 3, 1), (0.05, 2000, 200, 2, 1), (0.1, 512, 200, 3, 1), (0.1, 512, 200, 8, 1),
    (0.1, 512, 200, 8, 2),
]  # fmt: skip


def onset_bench() -> bool:
    draws, passed = np.random.default_rng(1), True
    for floor, samples, heldout, per_octave, growth in CASES:
        steps = np.unique(np.round(100 * 2 ** (np.arange(int(per_octave * math.log2(200)) + 1) / per_octave)))
        share = floor + (1 - floor) * -np.expm1(-EPS * (steps / TIME) ** growth)
        true = TIME * (-math.log1p(-EPS / (1 - floor)) / EPS) ** (1 / growth)
        held: dict[str, list[bool]] = {}
        for _ in range(RUNS):
            copies = draws.binomial(samples, share)
            low, high = binomial_interval(copies, samples)
            known = binomial_estimate(int(draws.binomial(heldout, floor)), heldout)
            found = tau_mem(Curve("f_mem", steps, copies / samples, low=low, high=high), known)
            inside = (found.low or 0.0) <= true <= (math.inf if found.high is None else found.high)
            held.setdefault(found.status, []).append(inside)
        every = sum(map(sum, held.values())) / RUNS
        parts = ", ".join(f"{name} {np.mean(one):.0%} of {len(one)}" for name, one in sorted(held.items()))
        print(
            f"floor {floor:.0%}, {samples} samples, {heldout} held-out images, {per_octave} looks an octave, "
            f"growth {growth}: {every:.1%} ({parts})"
        )
        passed &= floor > 0.03 or every >= 0.95 - 2.6 * math.sqrt(0.95 * 0.05 / RUNS)
    return passed


def outlook_bench() -> bool:
    draws, held = np.random.default_rng(2), {"drawn from the priors": 0, "looked at around the onset": 0}
    for kind in held:
        for _ in range(RUNS):
            growth, floor, last = 8 ** draws.uniform(), 0.002, 1600.0
            if kind == "drawn from the priors":
                floor, time = draws.beta(0.5, 0.5), math.exp(draws.uniform(math.log(10), math.log(REACH * last)))
            else:
                time = 100 * 2 ** draws.uniform(0, 7)
                last = time * 2 ** draws.uniform(-1, 1.5) + 100
            steps = [s for s in (round(100 * 2 ** (k / 2)) for k in range(15)) if s <= last]
            rise = [-math.expm1(-EPS * min((s / time) ** growth, 1e6)) for s in steps]
            counted = [draws.binomial(512, floor + (1 - floor) * share) for share in rise]
            looks = [Look(s, int(k), 512) for s, k in zip(steps, counted, strict=True)]
            found = outlook(looks, int(draws.binomial(400, floor)), 400).tau_mem
            held[kind] += (found.low or 0.0) <= time <= (found.high or math.inf)
        print(f"outlook, runs {kind}: {held[kind] / RUNS:.1%}")
    return held["drawn from the priors"] / RUNS >= 0.9 - 2.6 * math.sqrt(0.9 * 0.1 / RUNS)


def main() -> int:
    passed = [onset_bench(), outlook_bench()]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
