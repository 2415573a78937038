"""A host of two data-parallel processes on the CPU, both of which measure."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_two_processes_agree_and_resume_and_train_as_if_unwatched(tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m"]
    command = [sys.executable, *launcher, "tests.monitor.two_processes", str(tmp_path)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]

    first, second = (rank["whole"]["state"] for rank in found)
    assert first == second  # curves, looks, verdict
    assert {p["step"] for p in first["points"]} == {4, 6, 8, 11, 16, 23}
    assert {p["name"] for p in first["points"]} == {"train_loss", "heldout_loss", "f_mem", "frechet"}
    for rank in found:
        assert rank["resumed"] == rank["whole"]
        assert rank["unwatched"]["weights"] == rank["whole"]["weights"]
    assert found[0]["whole"]["weights"] != found[1]["whole"]["weights"]  # each process has buffers of its own
