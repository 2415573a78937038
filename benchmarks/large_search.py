"""Neighbours of 10,000 samples among up to a million training features of 256 numbers, float16, streamed from disk.

Bars: less than 1.5 GB of memory, and time that grows at most linearly in the training set: one more image costs no
more at the large end than at the small one. (It costs less: neighbours found early leave less to compare.)

Takes minutes and 600 MB of disk. `python benchmarks/large_search.py 100000 300000` measures these sizes only.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIZES = (100_000, 300_000, 1_000_000)
WIDTH, SAMPLES = 256, 10_000
MEMORY_BAR = 1.5  # GB, the mapped file's pages included
GROWTH = 1.15  # cost of one more image, at the large end over that at the small end


def child(file: str, n: int) -> None:
    from genwindow.metrics import nearest_neighbours

    train = np.load(file, mmap_mode="r")[:n]
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(SAMPLES, WIDTH)).astype(np.float16)
    samples[:100] = train[:100]
    began = time.perf_counter()
    found = nearest_neighbours(samples, train, 50)
    seconds = time.perf_counter() - began
    assert (found.distances[:100, 0] == 0).all() and (found.indices[:100, 0] == np.arange(100)).all()
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)


def main(sizes: tuple[int, ...]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.npy"
        made = np.lib.format.open_memmap(file, "w+", np.float16, (sizes[-1], WIDTH))
        rng = np.random.default_rng(0)
        for start in range(0, sizes[-1], 50_000):
            made[start : start + 50_000] = rng.standard_normal((50_000, WIDTH), dtype=np.float32)
        made.flush()
        del made
        times, memories = [], []
        for n in sizes:
            command = [sys.executable, __file__, str(file), str(n)]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            seconds, memory = map(float, out.split())
            times.append(seconds)
            memories.append(memory)
            print(f"{SAMPLES:,} x {n:,} x {WIDTH}: {seconds:.0f} s, {memory:.2f} GB resident at most", flush=True)
    steps = np.diff(times) / np.diff(sizes)
    for (low, high), step in zip(zip(sizes, sizes[1:], strict=False), 1e6 * steps, strict=True):
        print(f"from {low:,} to {high:,}: {step:.0f} us for each further image")
    bars = {
        f"less than {MEMORY_BAR} GB": max(memories) < MEMORY_BAR,
        "time grows at most linearly": len(steps) < 2 or steps[-1] <= GROWTH * steps[0],
    }
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].endswith(".npy"):
        child(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main(tuple(map(int, sys.argv[1:])) or SIZES))
