"""Hosts of two data-parallel processes on the CPU, both of which measure: plain torch, Lightning, accelerate."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TORCHRUN = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m"]


def both(host, folder):
    """What each of the two processes of a host has written at its end."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    command = [sys.executable, *TORCHRUN, f"tests.monitor.{host}", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


def steps(found):
    return sorted({point["step"] for point in found["state"]["points"]})


def test_two_processes_agree_and_resume_and_train_as_if_unwatched(tmp_path):
    found = both("two_processes", tmp_path)
    first, second = (rank["whole"]["state"] for rank in found)
    assert first == second  # curves, looks, verdict
    assert steps(found[0]["whole"]) == [4, 6, 8, 11, 16, 23]
    assert {p["name"] for p in first["points"]} == {"train_loss", "heldout_loss", "f_mem", "frechet"}
    for rank in found:
        assert rank["resumed"] == rank["whole"]
        assert rank["unwatched"]["weights"] == rank["whole"]["weights"]
    trouble = [rank["trouble"]["state"] for rank in found]
    assert trouble[0] == trouble[1] and steps(found[0]["trouble"]) == [4, 6, 11, 16, 23]
    assert next(v for v in trouble[0]["verdicts"] if v["step"] == 8)["state"] == "cannot_tell"
    assert found[0]["whole"]["weights"] != found[1]["whole"]["weights"]  # each process has buffers of its own


@pytest.mark.slow
def test_two_processes_of_lightning_agree_and_resume_and_stop_together(tmp_path):
    pytest.importorskip("lightning")
    first, second = both("two_lightning", tmp_path)
    assert first == second
    assert first["resumed"] == first["whole"] and steps(first["whole"]) == [4, 6, 8, 11, 16, 23]
    assert steps(first["half"]) == [4, 6, 8, 11]
    assert first["stopped"]["step"] == 4 and first["whole"]["step"] == 24


@pytest.mark.slow
def test_two_processes_of_accelerate_agree_and_resume(tmp_path):
    pytest.importorskip("accelerate")
    first, second = both("two_accelerate", tmp_path)  # on CPUs `accelerate launch` begins one process without MPI
    assert first["world"] == 2 and first == second
    assert first["resumed"] == first["whole"] and steps(first["whole"]) == [4, 6, 8, 11, 16, 23]
