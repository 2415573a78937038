import json

import numpy as np
import pytest

from genwindow import Curve, GenwindowError
from genwindow.runs import RunConfig, RunFolder, write_atomically


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


def test_rejects_damaged_samples_by_name_without_running_code(folder):
    (folder.path / "samples").mkdir()
    np.savez(folder.path / "samples" / "step_000000001.npz", step=np.array([{}], dtype=object))
    with pytest.raises(GenwindowError, match="step_000000001.npz is damaged"):
        folder.load()


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_atomically(path, "old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(GenwindowError, match="cannot write .*a.json: No space left on device"):
        write_atomically(path, "new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_place_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    """Below a file, or on a read-only disk, nothing can be written, and nothing half-written can be removed."""
    (tmp_path / "file").touch()
    with pytest.raises(GenwindowError, match=r"cannot write .*a\.json: (Not a directory|File exists)"):
        write_atomically(tmp_path / "file" / "a.json", "x")

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("pathlib.Path.write_bytes", refuse)
    monkeypatch.setattr("pathlib.Path.unlink", refuse)
    with pytest.raises(GenwindowError, match=r"cannot write .*a\.json: Read-only file system"):
        write_atomically(tmp_path / "a.json", "x")


def test_json_holds_no_nan(folder):
    with pytest.raises(ValueError, match="JSON"):
        folder.write("status", {"x": float("nan")})
    assert "status.json" not in [p.name for p in folder.path.iterdir()]
    assert json.loads((folder.path / "config.json").read_text()) == RunConfig().to_json()


def test_a_folder_where_nothing_began_is_gone_again(tmp_path):
    with RunFolder(tmp_path / "new").locked():
        assert (tmp_path / "new").exists()
    assert not (tmp_path / "new").exists()


def test_rejects_a_folder_without_run(tmp_path):
    with pytest.raises(GenwindowError, match="holds no run"):
        RunFolder(tmp_path).load()
