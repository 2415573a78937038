"""One run by two processes on the CPU, begun as `torchrun` and `accelerate launch` do."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from genwindow.runs import RunConfig, RunFolder, execute
from genwindow.train import Crew

pytest.importorskip("accelerate")

ARGUMENTS = [
    "--data.n=24", "--data.heldout=40", "--data.reference=40", "--net.width=16", "--net.blocks=1", "--train.batch=9",
    "--measure.first=10", "--measure.per_octave=1", "--measure.samples=32", "--measure.sampler_steps=4",
    "--measure.loss_images=8", "--measure.loss_draws=1",
]  # fmt: skip


def launch(folder, steps):
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--standalone", "-m", "genwindow", "train"]
    command = [sys.executable, *launcher, f"--out={folder}", f"--train.steps={steps}", *ARGUMENTS]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def test_two_processes_equal_one(tmp_path):
    process = launch(tmp_path / "two", 60)
    printed = process.communicate(timeout=200)[0]
    assert process.returncode == 0, printed
    assert printed.count("Open in a browser") == 1  # the first process speaks for both
    config = RunConfig.from_json(RunFolder(tmp_path / "two").read("config"))
    one, two = execute(config, tmp_path / "one"), RunFolder(tmp_path / "two").load()
    assert RunFolder(two.folder).read("provenance")["processes"] == 2
    for a, b in zip(one.curves, two.curves, strict=True):
        assert (a.name, a.t) == (b.name, b.t)
        np.testing.assert_array_equal(a.samples, b.samples)
        np.testing.assert_allclose(a.value, b.value, rtol=1e-3, atol=1e-3, err_msg=f"{a.name} {a.t}")
    first, second = (load_file(tmp_path / name / "snapshots" / "final.safetensors") for name in ("one", "two"))
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5)


def test_two_processes_stop_together_and_resume(tmp_path):
    folder = tmp_path / "run"
    process = launch(folder, 1500)
    until = time.monotonic() + 120
    while time.monotonic() < until and RunFolder(folder).read("status").get("step", 0) < 20:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    printed = process.communicate(timeout=100)[0]
    status = RunFolder(folder).read("status")
    assert status["state"] == "interrupted" and 20 <= status["step"] < 1500, printed
    again = launch(folder, 1500)
    printed = again.communicate(timeout=200)[0]
    assert again.returncode == 0, printed
    assert RunFolder(folder).load().status == "done"


def test_shares_of_a_batch_are_the_whole_batch():
    batch = torch.arange(7)
    parts = [Crew(rank, 3).part(batch) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == list(range(7))
    assert Crew().part(batch) is batch and Crew().first
