import contextlib
import dataclasses
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from safetensors.torch import load_file
from tests.sweep.small import config

from genwindow import GenwindowError
from genwindow.runs import RunFolder, execute
from genwindow.sweep import Inline, Job, Processes, read_progress, run_status


def jobs(tmp_path, *sizes):
    return [Job(config(n), tmp_path / f"n{n}") for n in sizes]


def test_processes_agree_with_inline(tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert [o.error for o in Inline(together=False).run(jobs(tmp_path / "a", 8, 12))] == ["", ""]
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
    Processes(2, together=False).run([Job(RunConfig.from_json(c), Path(f)) for c, f in given])
"""


@pytest.mark.parametrize(
    ("number", "together"), [(signal.SIGINT, False), (signal.SIGKILL, False), (signal.SIGKILL, True)]
)
def test_runs_write_their_checkpoints_when_the_driver_is_interrupted_or_killed(tmp_path, number, together):
    made = jobs(tmp_path, 8, 12, 16)
    long = [(dataclasses.replace(j.config, train=dataclasses.replace(j.config.train, steps=10**6)), j) for j in made]
    given = json.dumps([(config.to_json(), str(job.folder)) for config, job in long])
    (tmp_path / "drive.py").write_text(SCRIPT.replace("together=False", f"together={together}"))
    command = [sys.executable, str(tmp_path / "drive.py"), given]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    begun = [job.folder for _, job in (long if together else long[:2])]
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
    assert [RunFolder(f).read("status")["state"] for f in begun] == ["interrupted"] * len(begun), error
    assert all((f / "checkpoint" / "state.pt").exists() for f in begun)
    assert RunFolder(made[2].folder).exists == together  # what had not begun did not begin


def weights(folder):
    return load_file(folder / "snapshots" / "final.safetensors")


def test_a_killed_worker_is_replaced_and_its_run_ends_with_the_weights_of_an_unbroken_one(tmp_path):
    settings = config(8, steps=4000)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        execute(settings, tmp_path / "unbroken")
    finally:
        torch.set_num_threads(threads)
    job = Job(settings, tmp_path / "sweep" / "killed", checkpoint_seconds=0.2)
    killed = []

    def kill_once():
        if not killed and (job.folder / "checkpoint" / "state.pt").exists():
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGKILL)
            killed.append(RunFolder(job.folder).read("status")["step"])

    (outcome,) = Processes(1).run([job], kill_once)
    assert killed and killed[0] < 4000 and outcome.error == ""
    for name, value in weights(tmp_path / "unbroken").items():
        assert torch.equal(value, weights(job.folder)[name]), name


def test_a_run_whose_process_always_dies_is_marked_and_the_rest_go_on(tmp_path):
    bad, good = Job(config(8, steps=10**7), tmp_path / "bad"), Job(config(12), tmp_path / "good")

    def kill():
        if RunFolder(bad.folder).busy:
            for worker in multiprocessing.active_children():
                os.kill(worker.pid, signal.SIGKILL)

    first, second = Processes(1).run([bad, good], kill)
    assert "killed by signal 9" in first.error and "3 times" in first.error and first.state == "failed"
    assert second.error == ""
    assert run_status(bad).state == "failed" and "signal 9" in run_status(bad).reason
    assert run_status(good).state == "done"


def test_a_worker_asked_to_stop_from_outside_leaves_a_checkpoint_and_the_run_goes_on(tmp_path):
    job = Job(config(8, steps=3000), tmp_path / "n8")
    asked = []

    def ask_once():
        if not asked and RunFolder(job.folder).read("status").get("step", 0) > 50:
            (worker,) = multiprocessing.active_children()
            os.kill(worker.pid, signal.SIGTERM)
            asked.append(worker.pid)

    (outcome,) = Processes(1).run([job], ask_once)
    assert asked and outcome.error == "" and run_status(job).state == "done"


def test_a_diverging_run_is_marked_and_the_rest_go_on(tmp_path):
    made = [Job(config(8, optimizer="sgd", lr=1e9), tmp_path / "bad"), Job(config(12), tmp_path / "good")]
    first, second = Processes(1).run(made)
    assert "diverged" in first.error and second.error == ""
    assert [run_status(job).state for job in made] == ["failed", "done"]


def test_an_unforeseen_error_is_one_line_with_its_traceback_kept(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr("genwindow.sweep.jobs.execute", broken)
    job = Job(config(8), tmp_path / "runs" / "n8")
    (outcome,) = Inline().run([job])
    assert outcome.error == "ZeroDivisionError: a b"
    assert "Traceback" in json.loads((tmp_path / "runs" / "failures" / "n8.json").read_text())["detail"]


def test_two_drivers_share_one_list_without_harm(tmp_path):
    made = [(config(n, steps=1500).to_json(), str(tmp_path / f"n{n}")) for n in (8, 12, 16)]
    (tmp_path / "drive.py").write_text(SCRIPT.replace("Processes(2", "Processes(1"))
    command = [sys.executable, str(tmp_path / "drive.py"), json.dumps(made)]
    drivers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [driver.communicate(timeout=200)[1] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], errors
    execute(config(8, steps=1500), tmp_path / "alone")
    for _, folder in made:
        assert RunFolder(folder).load().status == "done"
    one, other = (RunFolder(tmp_path / name).load() for name in ("alone", "n8"))
    assert [c.value.shape for c in one.curves] == [c.value.shape for c in other.curves]


def test_a_run_left_by_another_driver_is_taken_over(tmp_path):
    job = Job(config(8), tmp_path / "n8")
    release = threading.Timer(1.0, lambda: stack.close())
    with contextlib.ExitStack() as stack:
        stack.enter_context(RunFolder(job.folder).locked())
        release.start()
        (outcome,) = Inline().run([job])
    assert outcome.state == "done"
