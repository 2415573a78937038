"""Many runs: executors behind one interface, and their progress."""

from genwindow.sweep.executors import Executor, Inline, Job, Outcome, Processes
from genwindow.sweep.progress import SweepProgress, read_progress

__all__ = ["Executor", "Inline", "Job", "Outcome", "Processes", "SweepProgress", "read_progress"]
