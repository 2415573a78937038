import json
import os
import signal
import subprocess
import sys
import time

import pytest

from genwindow.cli.main import main
from genwindow.runs import RunFolder
from genwindow.sweep import SweepFolder

FAST = [
    "data.heldout=40", "data.reference=40", "net.width=16", "net.blocks=1", "train.batch=8", "measure.first=10",
    "measure.per_octave=1", "measure.samples=16", "measure.sampler_steps=4", "measure.loss_images=8",
    "measure.loss_draws=1",
]  # fmt: skip


def sets(*more):
    return [part for text in (*FAST, *more) for part in ("--set", text)]


def test_a_sweep_from_its_grid_to_its_report(tmp_path, capsys):
    folder = str(tmp_path / "sweep")
    command = ["sweep", "run", folder, "--executor", "inline", *sets("data.n=8,12", "train.steps=20")]
    assert main([*command, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "missing" in printed and "data.n" in printed and not (tmp_path / "sweep").exists()
    assert main(command) == 0
    assert "2 of 2 runs done" in capsys.readouterr().out
    assert main([*command, "--set", "train.seed=0..1"]) == 0
    assert "4 of 4 runs done" in capsys.readouterr().out
    assert main(["sweep", "status", folder]) == 0
    assert "4 done, 0 running, 0 interrupted, 0 failed, 0 missing" in capsys.readouterr().out
    assert main(["report", folder]) == 0
    assert (tmp_path / "sweep" / "report.html").exists()


def test_failures_are_marked_shown_left_alone_and_retried(tmp_path, capsys):
    folder = str(tmp_path / "sweep")
    command = ["sweep", "run", folder, "--executor", "inline", *sets("data.n=8,9000", "train.steps=20")]
    assert main(command) == 1
    printed = capsys.readouterr().out
    assert "1 of 2 runs done, 1 failed" in printed and "9000" in printed and "sweep retry" in printed
    assert main(["sweep", "status", folder, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["counts"] == {"done": 1, "failed": 1}
    assert {r["state"]: r["reason"] != "" for r in found["runs"]} == {"done": False, "failed": True}
    assert main(["sweep", "retry", folder, "--executor", "inline"]) == 1
    assert "0 of 1 runs done, 1 failed" in capsys.readouterr().out
    job = next(j for j in SweepFolder(folder).jobs() if j.config.data.n == 9000)
    (tmp_path / "sweep" / "failures" / f"{job.folder.name}.json").unlink()
    assert main(["sweep", "status", folder]) == 0
    assert "1 missing" in capsys.readouterr().out


def test_one_run_alone_as_an_array_task_does(tmp_path, capsys):
    folder = str(tmp_path / "sweep")
    command = ["sweep", "run", folder, *sets("data.n=8,12", "train.steps=20")]
    assert main([*command, "--emit", "slurm"]) == 0
    script = capsys.readouterr().out
    name = next(line.strip() for line in script.splitlines() if line.strip().startswith("n12-"))
    assert main(["sweep", "run", folder, "--only", name, "--executor", "inline"]) == 0
    capsys.readouterr()
    assert RunFolder(tmp_path / "sweep" / name).load().status == "done"
    assert [p.name for p in (tmp_path / "sweep").glob("n*")] == [name]


def test_a_killed_driver_can_be_started_again(tmp_path, capsys):
    folder = tmp_path / "sweep"
    arguments = [
        "sweep", "run", str(folder), "--workers", "1", "--together", "off", *sets("data.n=8,12", "train.steps=1500"),
    ]  # fmt: skip
    command = [sys.executable, "-m", "genwindow", *arguments]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while time.monotonic() < until and not list(folder.glob("n*/status.json")):
        time.sleep(0.05)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    assert main(["sweep", "status", str(folder)]) == 0  # the worker may still be writing its checkpoint
    assert "1 missing" in capsys.readouterr().out
    assert main(["sweep", "run", str(folder), "--executor", "inline"]) == 0
    assert "2 of 2 runs done" in capsys.readouterr().out


def test_ctrl_c_says_how_to_go_on(tmp_path):
    folder = tmp_path / "sweep"
    arguments = ["sweep", "run", str(folder), "--workers", "1", *sets("data.n=8", "train.steps=1000000")]
    command = [sys.executable, "-m", "genwindow", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    driver = subprocess.Popen(command, **pipes)
    until = time.monotonic() + 120
    while time.monotonic() < until and not list(folder.glob("n*/status.json")):
        time.sleep(0.05)
    os.killpg(driver.pid, signal.SIGINT)
    _, error = driver.communicate(timeout=60)
    assert driver.returncode == 130 and "To go on: genwindow sweep run" in error and "Traceback" not in error
    (job,) = SweepFolder(folder).jobs()
    assert RunFolder(job.folder).load().status == "interrupted"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "rum"], "sweep must be one of run, status, retry; got 'rum'"),
        (["sweep", "run", "nowhere"], "holds no sweep yet; say what to run with --set or --grid"),
        (["sweep", "status", "nowhere"], "holds no sweep"),
        (["sweep", "retry", "nowhere"], "holds no sweep"),
        (["sweep", "run", "x", "--set", "data.m=1"], "unknown setting data.m"),
        (["sweep", "run", "x", "--set", "data.n=0"], "n must be at least 1, got 0"),
        (["sweep", "run", "x", "--set", "data.n=1", "--set", "data.n=2"], "given twice"),
        (["sweep", "run", "x", "--set", "data.n=8", "--executor", "cloud"], "--executor must be one of processes"),
        (["sweep", "run", "x", "--set", "data.n=8", "--workers", "0"], "workers must be a whole number"),
        (["sweep", "run", "x", "--set", "data.n=8", "--emit", "banana"], "--emit must be one of slurm; got 'banana'"),
        (["sweep", "run", "x", "--set", "data.n=8", "--only", "zzz"], "--only zzz: no such run in x"),
        (
            ["sweep", "run", "x", "--set", "data.n=8", "--emit", "slurm", "--gpus-per-run", "0.5"],
            "whole graphics cards",
        ),
        (["sweep", "run", "x", "--set", "device=banana", "--dry-run"], "device must be cpu, cuda, cuda:N, mps or auto"),
        (["sweep", "run", "x", "--set", "device=[cpu]", "--dry-run"], "or auto; got '[cpu]'"),
        (["sweep", "run", "x", "--grid", "none.yaml"], "none.yaml cannot be read"),
        (["sweep", "run", "x"], "holds no sweep yet"),
        (["reproduce", "m-sweep"], "experiment must be one of n-sweep"),
        (["reproduce", "n-sweep", "--scale", "huge"], "scale must be one of smoke, cpu, paper"),
        (["reproduce", "n-sweep", "--scale", "paper", "--out", "x"], "--data FOLDER_OF_CELEBA"),
        (["reproduce", "random-features", "--data", "digits"], "random-features makes its own data; leave --data out"),
        (["reproduce", "mixture", "--data", "digits", "--dry-run"], "mixture makes its own data; leave --data out"),
        (["reproduce", "fixed-t", "--data", "digits"], "fixed-t makes its own data; leave --data out"),
        (["reproduce", "n-sweep", "--data", "nowhere", "--dry-run"], "no data set and no path called 'nowhere'"),
        (["reproduce", "random-features", "--scale", "huge"], "scale must be one of smoke, cpu, paper"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow")]
    assert len(lines) == 1 and message in lines[0]
    assert not list(tmp_path.rglob("*.json"))


def test_the_paper_s_runs_are_listed_with_their_cost(capsys):
    assert main(["reproduce", "all", "--scale", "paper", "--dry-run"]) == 0
    printed = capsys.readouterr().out
    for name in ("n-sweep", "w-sweep", "phase", "batch", "optimizer", "threshold", "random-features", "supervised"):
        assert f"{name}: " in printed
    assert "32768" in printed and "GPU hours" in printed and "GiB" in printed
