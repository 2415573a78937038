"""Many runs: grids, executors behind one interface, and what became of each run."""

from genwindow.sweep.executors import Executor, Inline
from genwindow.sweep.folder import SweepFolder, run_id
from genwindow.sweep.grid import Grid, parse_axis, read_grid
from genwindow.sweep.jobs import Job, Outcome
from genwindow.sweep.processes import Processes
from genwindow.sweep.progress import RunStatus, SweepProgress, read_progress, run_status, time_left

__all__ = [
    "Executor",
    "Grid",
    "Inline",
    "Job",
    "Outcome",
    "Processes",
    "RunStatus",
    "SweepFolder",
    "SweepProgress",
    "parse_axis",
    "read_grid",
    "read_progress",
    "run_id",
    "run_status",
    "time_left",
]
