import pickle

import pytest
import torch

from genwindow import GenwindowError
from genwindow.train import load_state, save_state


def test_roundtrip_keeps_the_previous_state(tmp_path):
    path = tmp_path / "state.pt"
    for step in (1, 2):
        save_state(path, {"step": step, "weights": torch.ones(3) * step})
    assert load_state(path)["step"] == 2
    assert load_state(tmp_path / "previous.pt")["step"] == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["previous.pt", "state.pt"]


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace"])
def test_a_full_disk_leaves_the_old_state_and_nothing_else(tmp_path, monkeypatch, broken):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = tmp_path / "state.pt"
    save_state(path, {"step": 1})
    monkeypatch.setattr(broken, full)
    with pytest.raises(OSError, match="No space left"):
        save_state(path, {"step": 2})
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"] and load_state(path)["step"] == 1


@pytest.mark.parametrize("keep", [0, 10, 0.5])
def test_rejects_a_truncated_file(tmp_path, keep):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1, "weights": torch.ones(300)})
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(GenwindowError, match=r"state.pt is damaged \(.*\); delete it to start the run anew"):
        load_state(path)


def test_rejects_code_in_a_file(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    path = tmp_path / "state.pt"
    torch.save({"step": 1, "bomb": Bomb()}, path)
    with pytest.raises(GenwindowError, match="damaged"):
        load_state(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(GenwindowError, match="damaged"):
        load_state(path)
    assert not (tmp_path / "owned").exists()


def test_names_the_previous_state_as_rescue(tmp_path):
    path = tmp_path / "state.pt"
    for step in (1, 2):
        save_state(path, {"step": step})
    path.write_bytes(b"")
    with pytest.raises(GenwindowError, match="delete it to go on from .*previous.pt"):
        load_state(path)
