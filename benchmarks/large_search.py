"""Neighbours of 10,000 samples among up to a million training features of 256 numbers, float16, streamed from disk.

Bars: less than 1.5 GB of memory, and time that grows at most linearly in the training set: as n to a power of at most
1.1 from each size to the next. (It grows more slowly: neighbours found early leave less to compare.)

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
GROWTH = 1.1  # largest local exponent of the time against n


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
    powers = np.diff(np.log(times)) / np.diff(np.log(sizes))
    print("time grows as n to the power", ", then ".join(f"{power:.2f}" for power in powers) or "unknown")
    bars = {
        f"less than {MEMORY_BAR} GB": max(memories) < MEMORY_BAR,
        "time grows at most linearly": all(power <= GROWTH for power in powers),
    }
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1].endswith(".npy"):
        child(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main(tuple(map(int, sys.argv[1:])) or SIZES))
