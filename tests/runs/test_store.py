import json
import signal
import subprocess
import sys
from contextlib import nullcontext

import numpy as np
import pytest

from genwindow import Curve, GenwindowError
from genwindow.runs import MeasureSettings, RunConfig, RunFolder, TrainSettings, read_watched


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    with made.locked():
        made.begin(RunConfig())
    return made


def measured(name, t=None):
    value = np.array([0.1, 1 / 3, 1e-300])
    return Curve(name, [1.0, 2.0, 4.0], value, value / 2, value * 2, [1, 2, 4], [32, 64, 128], t=t)


def test_roundtrip_curves_keep_every_digit(folder):
    curves = (measured("f_mem"), measured("train_loss", 10.0), measured("train_loss", 0.1))
    folder.write_curves(curves)
    assert folder.read_curves() == curves


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("garbage\n", "its columns are"),
        ("", "its columns are"),
        ("step,samples,tau,name,t,value,low,high\n1,2,1,f_mem,,many,0,1\n", "not a curves table"),
        ("step,samples,tau,name,t,value,low,high\n1,2\n", "not a curves table"),
    ],
)
def test_rejects_a_damaged_table_by_name(folder, text, message):
    (folder.path / "curves.csv").write_text(text)
    with pytest.raises(GenwindowError, match=f"curves.csv is not a curves table|{message}"):
        folder.read_curves()


@pytest.mark.parametrize("name", ["config.json", "status.json", "estimates.json"])
def test_rejects_damaged_json_by_name(folder, name):
    (folder.path / name).write_text('{"data": ')
    with pytest.raises(GenwindowError, match=f"{name} cannot be read"):
        folder.load()


ESTIMATE = {"value": 1, "low": None, "high": None, "status": "found", "method": "m"}
VERDICT = {"state": "in_window", "text": "", "should_stop": False, "step": 1, "tau_mem": ESTIMATE,
           "steps_left": ESTIMATE}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        *((name, data, "a table is expected") for data in ([], None, 3, "x")
          for name in ("status", "estimates", "ratios", "provenance", "verdicts")),
        ("status", {"step": "x"}, "step is 'x'"),
        ("status", {"steps": None}, "steps is None"),
        ("status", {"state": []}, r"state is \[\]"),
        ("status", {"seconds": "x"}, "seconds is 'x'"),
        ("status", {"message": 3}, "message is 3"),
        ("provenance", {"parameters": "x"}, "parameters is 'x'"),
        ("estimates", {"tau_mem": 3}, "TypeError"),
        ("estimates", {"tau_mem": {**ESTIMATE, "low": "x"}}, "ValueError"),
        ("estimates", {"tau_mem": {"value": 1}}, "low is missing"),
        ("estimates", {"tau_mem": {**ESTIMATE, "value": -5}}, "tau_mem is a training time, .* negative, got -5"),
        ("estimates", {"tau_mem": {**ESTIMATE, "low": -5}}, "tau_mem is a training time, .* negative"),
        ("verdicts", {"verdicts": None}, "TypeError"),
        ("verdicts", {"verdicts": [3]}, "this is no verdict"),
        ("verdicts", {"verdicts": [{**VERDICT, "state": "x"}]}, "this is no verdict: state 'x' at step 1"),
        ("verdicts", {"verdicts": [{**VERDICT, "step": "x"}]}, "this is no verdict: state 'in_window' at step 'x'"),
        ("ratios", {"threshold": [0.1, 0.2], "generated": [0.0, 0.0], "heldout": [0.0]}, "columns of one length"),
        ("ratios", {"threshold": [[1], [1, 2]]}, "ValueError"),
        ("ratios", {"threshold": [0.1, 0.2]}, "columns of one length"),
    ],
)  # fmt: skip
def test_rejects_json_of_another_form_by_name(folder, name, content, message):
    folder.write("verdicts", {"verdicts": [VERDICT]})
    folder.load()
    (folder.path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(GenwindowError, match=rf"/{name}.json is damaged \(.*{message}"):
        folder.load()
    with (
        pytest.raises(GenwindowError, match="is damaged")
        if name in ("status", "estimates", "verdicts")
        else nullcontext()
    ):
        read_watched(folder.path)


def test_samples_are_read_back_from_their_folder(folder):
    assert folder.read_gallery() is None and folder.load().gallery is None
    images = np.zeros((3, 2, 2, 1), np.uint8)
    folder.write_samples(7, generated=images, nearest=images, ratio=np.ones(3), nearest_index=np.arange(3))
    assert [file.name for file in (folder.path / "samples").iterdir()] == ["step_000000007.npz"]
    assert folder.load().gallery.step.tolist() == folder.read_ratios()[0].tolist() == [7]


def test_a_run_begun_with_whole_numbers_goes_on_with_equal_ones(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "config.json").write_text('{"train": {"ema": 0}, "measure": {"guidance": [1]}}')
    folder.begin(RunConfig(train=TrainSettings(ema=0.0), measure=MeasureSettings(guidance=(1.0,))))
    folder.begin(RunConfig(train=TrainSettings(ema=0), measure=MeasureSettings(guidance=(1,))))


KILLED_AT = """
import os, signal, sys
from genwindow.runs import RunConfig, RunFolder
from genwindow.train import save_state
move = os.replace
os.replace = lambda a, b: os.kill(os.getpid(), signal.SIGKILL) if str(b).endswith(sys.argv[2]) else move(a, b)
folder = RunFolder(sys.argv[1])
with folder.locked():
    folder.begin(RunConfig())
    folder.write("status", {"state": "running"})
    folder.write_samples(1, ratio=[1.0])
    save_state(folder.checkpoint, {"step": 1})
"""


@pytest.mark.parametrize("name", ["config.json", "status.json", "step_000000001.npz", "state.pt"])
def test_a_kill_in_the_middle_of_a_write_leaves_a_folder_that_goes_on_and_is_clean_again(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, folder.path, name])
    assert killed.returncode == -signal.SIGKILL and len(list(folder.path.rglob(f".{name}.*.tmp"))) == 1
    with folder.locked():
        folder.begin(RunConfig())
    assert not list(folder.path.rglob("*.tmp")) and folder.exists


def test_files_of_others_stay_and_are_strangers(tmp_path):
    other = tmp_path / ".package.json.7.tmp"
    other.write_text("")
    folder = RunFolder(tmp_path)
    with pytest.raises(GenwindowError, match="not empty and holds no run .found .package.json.7.tmp"), folder.locked():
        folder.begin(RunConfig())
    assert other.exists()


def test_json_holds_no_nan(folder):
    with pytest.raises(ValueError, match="JSON"):
        folder.write("status", {"x": float("nan")})
    assert "status.json" not in [p.name for p in folder.path.iterdir()]
    assert json.loads((folder.path / "config.json").read_text()) == RunConfig().to_json()


def test_a_folder_where_nothing_began_is_gone_again(tmp_path):
    with RunFolder(tmp_path / "new").locked():
        assert (tmp_path / "new").exists()
    assert not (tmp_path / "new").exists()


def test_a_run_whose_process_was_killed_is_interrupted(folder):
    folder.write("status", {"state": "running", "message": "", "step": 3, "steps": 9, "seconds": 1.0})
    assert folder.load().status == "interrupted"
    with folder.locked():
        assert folder.load().status == "running"


def test_rejects_a_folder_without_run(tmp_path):
    with pytest.raises(GenwindowError, match="holds no run"):
        RunFolder(tmp_path).load()


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_rejects_constants_that_are_no_numbers(folder, constant):
    (folder.path / "status.json").write_text(f'{{"seconds": {constant}}}')
    with pytest.raises(GenwindowError, match=f"status.json cannot be read: {constant} is not a number"):
        folder.load()
