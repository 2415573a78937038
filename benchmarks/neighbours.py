"""Exact nearest neighbours against the ways people write down first: time, memory and accuracy next to copies.

Run it alone on the machine: `python benchmarks/neighbours.py`. It prints a table and exits with 1 if a bar is missed.

Times: the ways take turns, each turn lasts half a second or one call, and the least time of a call counts, after one
call of each to warm up. Threads wait for each other, so anything else running on the machine slows all ways, and
those most that make many small steps.

Extra memory: how far the resident set of a fresh process rises during one call above what it held before, that is the
kernel's high-water mark afterwards (VmHWM; `ru_maxrss` would start at that of the parent process) minus the resident
set with the data and the warmed-up libraries in place. It counts everything, also what the matrix product allocates
behind PyTorch's back. Linux only.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from genwindow.metrics import nearest_neighbours

SPEED_BAR = 40  # times faster than the difference tensor
LARGE_SPEED_BAR = 80  # the same for 1,000 queries and 32,768 images
FAISS_BAR = 1.2  # times as long as faiss's exact index may take
SLICED = 4  # queries at a time for the difference tensor at that size, which would need 134 GB in one piece
TIMED = 16  # queries it is timed with; its time is proportional to their number
MEMORY_BAR = 50  # times less extra memory than the difference tensor
RATIO_BAR = 1e-6  # largest error of d1 / d2
LARGE_MEMORY = 256 * 2**20  # bytes allowed for the large search

Way = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def difference_tensor(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    values, indices = torch.norm(a[:, None] - b, dim=2).topk(2, largest=False)
    return values, indices


def cdist(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    values, indices = torch.cdist(a, b).topk(2, largest=False)
    return values, indices


def ours(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    values, indices = nearest_neighbours(a, b, k=2)
    return values, indices


def faiss_index(b: Tensor) -> Way:
    """Faiss's exact index of the reference, built beforehand; only the search is timed."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    index = faiss.IndexFlatL2(b.shape[1])
    index.add(b.numpy())

    def search(a: Tensor, _: Tensor) -> tuple[Tensor, Tensor]:
        squares, indices = index.search(a.numpy(), 2)
        return torch.from_numpy(squares).sqrt(), torch.from_numpy(indices)

    return search


def sliced_difference(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    parts = [difference_tensor(part, b) for part in a.split(SLICED)]
    return torch.cat([p[0] for p in parts]), torch.cat([p[1] for p in parts])


WAYS: dict[str, Way] = {"difference": difference_tensor, "cdist": cdist, "genwindow": ours}


def images(queries: int, count: int, dim: int = 1024) -> tuple[Tensor, Tensor]:
    """Queries and reference; the first ten queries are copies, the next ten are copies with noise 1e-4."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.randn(count, dim, generator=generator)
    found = torch.randn(queries, dim, generator=generator)
    found[:20] = reference[:20]
    found[10:20].add_(torch.randn(10, dim, generator=generator), alpha=1e-4)
    return found, reference


def ratios(distances: Tensor) -> Tensor:
    return distances[:, 0].double() / distances[:, 1].double()


def exact(a: Tensor, b: Tensor) -> Tensor:
    """Two smallest distances by differences in float64, one query at a time."""
    rows = [(b.double() - query.double()).square().sum(1).sqrt().topk(2, largest=False).values for query in a]
    return torch.stack(rows)


def times(a: Tensor, b: Tensor, ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Least seconds of each way."""
    least = dict.fromkeys(ways, float("inf"))
    for way in ways.values():
        way(a, b)
    for _ in range(rounds):
        for name, way in ways.items():
            turn = time.perf_counter() + 0.5
            while (begin := time.perf_counter()) < turn:
                way(a, b)
                least[name] = min(least[name], time.perf_counter() - begin)
    return least


def resident(field: str) -> int:
    """Bytes of this process in memory: now (`VmRSS`), or at most so far (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure_memory(name: str, queries: int, count: int) -> None:
    """Body of the child process: print the extra bytes of one call."""
    way = WAYS[name]
    way(*images(32, 64, 64))
    a, b = images(queries, count)
    before = resident("VmRSS")
    way(a, b)
    print(max(0, resident("VmHWM") - before))


def extra_memory(name: str, queries: int, count: int) -> int:
    """Extra bytes of one call, measured in a process of its own."""
    command = [sys.executable, __file__, name, str(queries), str(count)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> int:
    a, b = images(100, 4096)
    truth = ratios(exact(a, b))
    seconds = times(a, b, WAYS, rounds=12)
    memory = {name: extra_memory(name, 100, 4096) for name in WAYS}
    error = {name: float((ratios(way(a, b)[0]) - truth).abs().max()) for name, way in WAYS.items()}
    print(f"100 queries, 4096 images of 1024 numbers, float32, {torch.get_num_threads()} threads")
    print(f"{'way':<12}{'ms':>9}{'faster':>9}{'extra MiB':>12}{'less':>8}{'error of d1/d2':>17}")
    for name in WAYS:
        faster, less = seconds["difference"] / seconds[name], memory["difference"] / max(memory[name], 1)
        print(
            f"{name:<12}{1e3 * seconds[name]:>9.1f}{faster:>8.1f}x{memory[name] / 2**20:>12.1f}{less:>7.0f}x"
            f"{error[name]:>17.1e}"
        )
    a, b = images(1000, 32768)
    large = {"cdist": cdist, "faiss": faiss_index(b), "genwindow": ours}
    large_seconds = times(a, b, large, rounds=3)
    few = times(a[:TIMED], b, {"difference": sliced_difference}, rounds=2)["difference"]
    large_seconds["difference"] = few * len(a) / TIMED
    large_memory = {name: extra_memory(name, 1000, 32768) for name in ("cdist", "genwindow")}
    copies = slice(0, 20)
    near = exact(a[copies], b)
    large_error = {name: float((way(a, b)[0][copies] - near).abs().max()) for name, way in large.items()}
    print("1000 queries, 32768 images of 1024 numbers; error of the distances of 20 copies and near copies")
    print(f"the difference tensor {SLICED} queries at a time, timed with {TIMED} and multiplied")
    print(f"{'way':<12}{'ms':>9}{'faster':>9}{'extra MiB':>12}{'error':>10}")
    for name, taken in large_seconds.items():
        memory_text = f"{large_memory[name] / 2**20:.1f}" if name in large_memory else "-"
        error_text = f"{large_error[name]:.1e}" if name in large_error else "-"
        faster = large_seconds["difference"] / taken
        print(f"{name:<12}{1e3 * taken:>9.1f}{faster:>8.1f}x{memory_text:>12}{error_text:>10}")
    bars = {
        f"at least {SPEED_BAR} times faster": seconds["difference"] / seconds["genwindow"] >= SPEED_BAR,
        f"less than 1/{MEMORY_BAR} of the extra memory": memory["genwindow"] * MEMORY_BAR < memory["difference"],
        f"ratios within {RATIO_BAR:g}": error["genwindow"] <= RATIO_BAR,
        f"at least {LARGE_SPEED_BAR} times faster at the large size": large_seconds["difference"]
        >= LARGE_SPEED_BAR * large_seconds["genwindow"],
        f"at most {FAISS_BAR} times as long as faiss's exact index": large_seconds["genwindow"]
        <= FAISS_BAR * large_seconds["faiss"],
        "exact next to copies, where faiss is not": large_error["genwindow"] < 1e-9 < large_error["faiss"],
        "the large search within its memory": large_memory["genwindow"] <= LARGE_MEMORY,
    }
    for bar, met in bars.items():
        print(f"{'met   ' if met else 'MISSED'}  {bar}")
    return 0 if all(bars.values()) else 1


if __name__ == "__main__":
    if len(sys.argv) == 4:
        measure_memory(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
