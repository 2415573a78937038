"""Sweeps: two local workers against one run after another, and what Ray adds to each run.

Every run trains alone here; benchmarks/together.py is about those that train together. Bars: 8 equal runs finish at
least 1.7 times faster with two workers than inline at one thread; Ray adds less than 2 s to each run once its workers
are up.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import torch

from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, TrainSettings
from genwindow.sweep import Executor, Inline, Job, Processes


def jobs(folder: Path, count: int, steps: int) -> list[Job]:
    measure = MeasureSettings(first=steps, samples=64, sampler_steps=10)
    made = [
        RunConfig(
            data=DataSettings("digits", 64),
            net=NetSettings("mlp", 128, 3),
            train=TrainSettings(steps=steps, batch=32, seed=seed),
            measure=measure,
        )
        for seed in range(count)
    ]
    return [Job(config, folder / f"s{config.train.seed}") for config in made]


def timed(executor: Executor, count: int, steps: int) -> float:
    folder = Path(tempfile.mkdtemp())
    try:
        began = time.perf_counter()
        outcomes = executor.run(jobs(folder, count, steps))
        assert not any(outcome.error for outcome in outcomes)
        return time.perf_counter() - began
    finally:
        shutil.rmtree(folder)


def main() -> None:
    torch.set_num_threads(1)
    Inline().run(jobs(Path(tempfile.mkdtemp()), 1, 10))  # imports and caches
    inline, two = (timed(way, 8, 6000) for way in (Inline(together=False), Processes(2, together=False)))
    print(f"8 runs inline {inline:.1f} s, two workers {two:.1f} s: {inline / two:.2f} times (bar 1.7)")
    try:
        import ray

        from genwindow.sweep.ray_executor import RayExecutor
    except ImportError:
        print("ray is not installed")
        return
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    executor = RayExecutor()
    cold = timed(executor, 1, 20)
    alone, by_ray = timed(Inline(together=False), 4, 1000), timed(executor, 4, 1000)
    ray.shutdown()
    print(f"Ray: first run {cold:.1f} s (its worker imports torch); then {(by_ray - alone) / 4:.2f} s a run (bar 2)")


if __name__ == "__main__":
    main()
