"""The options of every verb that makes several runs: where they are made, and how many at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jsonargparse import ArgumentParser, Namespace

from genwindow.errors import check_choice

if TYPE_CHECKING:
    from genwindow.sweep import Executor

EXECUTORS = ("processes", "inline", "ray")


def add_executor_options(parser: ArgumentParser) -> None:
    """Where the runs are made."""
    parser.add_argument("--executor", type=str, default="processes", help="processes, inline (in this one), or ray")
    parser.add_argument("--workers", type=int | None, default=None, help="processes; default: one for each core")
    parser.add_argument(
        "--together", type=str, default="auto", help="auto: small networks of one architecture train as one; or off"
    )
    parser.add_argument("--address", type=str | None, default=None, help="ray: cluster to join; `auto` finds it")
    parser.add_argument("--cpus-per-run", type=float, default=1.0, help="ray, slurm: cores for each run")
    parser.add_argument("--gpus-per-run", type=float, default=0.0, help="ray, slurm: graphics cards, 0.5 shares one")


def make_executor(options: Namespace) -> Executor:
    """The executor that the options name."""
    from genwindow.sweep import Inline, Processes

    check_choice("--executor", options.executor, EXECUTORS)
    together = check_choice("--together", options.together, ("auto", "off")) == "auto"
    if options.executor == "inline":
        return Inline(together=together)
    if options.executor == "processes":
        return Processes(options.workers, together=together)
    from genwindow.sweep.ray_executor import RayExecutor

    return RayExecutor(options.address, cpus=options.cpus_per_run, gpus=options.gpus_per_run)
