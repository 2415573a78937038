import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from genwindow import GenwindowError
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, RunFolder, TrainSettings
from genwindow.sweep import Inline, Job, Processes, read_progress


def jobs(tmp_path, *sizes):
    measure = MeasureSettings(first=10, per_octave=1, samples=16, sampler_steps=3, loss_images=8, loss_draws=1)
    return [
        Job(
            RunConfig(
                data=DataSettings("digits", n, heldout=40, reference=40),
                net=NetSettings("mlp", 16, 1),
                train=TrainSettings(steps=20, batch=8),
                measure=measure,
            ),
            tmp_path / f"n{n}",
        )
        for n in sizes
    ]


def test_processes_agree_with_inline(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert [o.error for o in Inline().run(jobs(tmp_path / "a", 8, 12))] == ["", ""]
    finally:
        torch.set_num_threads(threads)
    assert [o.error for o in Processes(2).run(jobs(tmp_path / "b", 8, 12))] == ["", ""]
    for name in ("n8", "n12"):
        one, other = (RunFolder(tmp_path / where / name).load() for where in "ab")
        assert one.curves == other.curves


def test_one_bad_run_does_not_stop_the_others(tmp_path):
    outcomes = Inline().run(jobs(tmp_path, 9000, 8))
    assert "9000" in outcomes[0].error
    assert outcomes[1].error == ""
    assert RunFolder(tmp_path / "n8").load().status == "done"


def test_progress_is_read_from_the_folders(tmp_path):
    made = jobs(tmp_path, 8, 12)
    seen = []
    before = read_progress(made)
    assert (before.done, before.states[0]) == (0, ("waiting", 0, None))
    Inline().run(made[:1], lambda: seen.append(read_progress(made).done))
    assert seen[-1] == pytest.approx(0.5, abs=0.1)  # n = 8 and n = 12 cost nearly the same
    after = read_progress(made)
    assert after.done == seen[-1] and after.states[0][0] == "done" and after.states[0][2] is not None


def test_no_jobs_is_no_outcome():
    assert Processes(2).run([]) == []


def test_rejects_no_workers():
    with pytest.raises(GenwindowError, match="workers must be a whole number of at least 1, got 0"):
        Processes(0)


SCRIPT = """
import json, sys
from pathlib import Path
from genwindow.runs import RunConfig
from genwindow.sweep import Job, Processes
if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    Processes(2).run([Job(RunConfig.from_json(c), Path(f)) for c, f in given])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_runs_write_their_checkpoints_when_the_driver_is_interrupted_or_killed(tmp_path, number):
    made = jobs(tmp_path, 8, 12, 16)
    long = [(dataclasses.replace(j.config, train=dataclasses.replace(j.config.train, steps=10**6)), j) for j in made]
    given = json.dumps([(config.to_json(), str(job.folder)) for config, job in long])
    (tmp_path / "drive.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "drive.py"), given]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = [job.folder for _, job in long[:2]]
    until = time.monotonic() + 120
    while time.monotonic() < until and not all((f / "status.json").exists() for f in begun):
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as the terminal does: driver and workers alike
    else:
        process.send_signal(number)  # the driver alone, without warning
    error = process.communicate(timeout=60)[1]
    assert process.returncode != 0
    while time.monotonic() < until and not all(RunFolder(f).read("status")["state"] == "interrupted" for f in begun):
        time.sleep(0.05)
    assert [RunFolder(f).read("status")["state"] for f in begun] == ["interrupted"] * 2, error
    assert all((f / "checkpoint" / "state.pt").exists() for f in begun)
    assert not RunFolder(made[2].folder).exists  # what had not begun did not begin
