import subprocess

import pytest
from tests.sweep.small import config

from genwindow import GenwindowError
from genwindow.sweep import SweepFolder
from genwindow.sweep.slurm import slurm_script


def test_every_task_makes_its_own_run(tmp_path):
    """The script is run by bash with a stand-in for srun that prints its arguments."""
    jobs = SweepFolder(tmp_path / "sweep").add([config(8), config(12), config(16)])
    script = slurm_script(jobs, cpus=4, gpus=2, at_once=8)
    assert "#SBATCH --array=0-2%8" in script and "#SBATCH --gpus-per-task=2" in script
    (tmp_path / "job.sh").write_text(script)
    (tmp_path / "srun").write_text('#!/bin/bash\nprintf "%s\\n" "$OMP_NUM_THREADS" "$@"\n')
    (tmp_path / "srun").chmod(0o755)
    for i, job in enumerate(jobs):
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SLURM_ARRAY_TASK_ID": str(i), "SLURM_CPUS_PER_TASK": "4"}
        printed = subprocess.run(["bash", tmp_path / "job.sh"], env=env, capture_output=True, text=True, check=True)
        threads, _, *arguments = printed.stdout.splitlines()
        assert threads == "4"
        assert arguments == [
            "-m", "genwindow", "sweep", "run", str(tmp_path / "sweep"), "--only", job.folder.name,
            "--executor", "inline",
        ]  # fmt: skip


def test_rejects_what_slurm_cannot_do(tmp_path):
    jobs = SweepFolder(tmp_path / "a b").add([config(8)])
    with pytest.raises(GenwindowError, match="without blanks"):
        slurm_script(jobs)
    with pytest.raises(GenwindowError, match="nothing to run"):
        slurm_script([])
    with pytest.raises(GenwindowError, match="whole graphics cards"):
        slurm_script(SweepFolder(tmp_path / "c").add([config(8)]), gpus=0.5)
