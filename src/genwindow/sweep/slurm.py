"""A Slurm array job: the script that runs a sweep, one array task for each run, for clusters without Ray."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from genwindow.errors import check
from genwindow.sweep.jobs import Job

SCRIPT = """#!/bin/bash
# One array task for each run. A task that is requeued or submitted again resumes from its last checkpoint, and a run
# that is done costs seconds. Submit with: sbatch THIS_FILE
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{at_once}
#SBATCH --cpus-per-task={cpus}{gpus}
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --signal=TERM@120
#SBATCH --output={logs}/%A_%a.log

runs=(
{runs}
)
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
exec srun {python} -m genwindow sweep run {folder} --only "${{runs[$SLURM_ARRAY_TASK_ID]}}" --executor inline
"""


def slurm_script(jobs: Sequence[Job], *, cpus: int = 1, gpus: float = 0.0, at_once: int | None = None) -> str:
    """The text of the script; the runs are named in it, so that runs added later do not shift them.

    Args:
        jobs: at least one, all in one sweep folder.
        cpus: cores for each run.
        gpus: graphics cards for each run, a whole number: Slurm does not share them.
        at_once: at most so many tasks at a time.
    """
    check(len(jobs) > 0, "nothing to run: every run of this sweep is done")
    check(gpus == int(gpus), f"Slurm gives whole graphics cards only, got --gpus-per-run {gpus:g}")
    folder = jobs[0].folder.parent.resolve()
    return SCRIPT.format(
        name=shlex.quote(_plain(folder.name)),
        last=len(jobs) - 1,
        at_once="" if at_once is None else f"%{at_once}",
        cpus=cpus,
        gpus=f"\n#SBATCH --gpus-per-task={int(gpus)}" if gpus else "",
        logs=_plain(str(folder)),
        runs="\n".join(f"  {shlex.quote(job.folder.name)}" for job in jobs),
        python=shlex.quote(str(Path(sys.executable))),
        folder=shlex.quote(str(folder)),
    )


def _plain(text: str) -> str:
    """Slurm reads #SBATCH lines to the next blank: a name with blanks or line ends cannot stand there."""
    check(not any(c.isspace() for c in text), f"Slurm needs a folder without blanks in its path, got {text!r}")
    return text
