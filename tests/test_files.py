import json

import pytest

from genwindow import GenwindowError
from genwindow.files import making_sense_of, packaged, read_json, replacing, to_json_text, write_atomically


@pytest.mark.parametrize("content", ["text", b"bytes", ""])
def test_roundtrip_makes_folders_and_leaves_nothing_else(tmp_path, content):
    path = tmp_path / "one" / "two" / "a.json"
    for _ in range(2):
        write_atomically(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


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


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_a_block_that_ends_badly_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.bin"
    write_atomically(path, b"old")
    with pytest.raises(error), replacing(path) as beside:
        beside.write_bytes(b"half")
        assert beside.parent == path.parent and path.read_bytes() == b"old"
        raise error
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.bin"]


def test_roundtrip_json(tmp_path):
    data = {"tau": [1 / 3, 1e-300], "status": None}
    write_atomically(tmp_path / "a.json", to_json_text(data))
    assert read_json(tmp_path / "a.json") == data and to_json_text(data).endswith("}\n")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_rejects_numbers_that_json_does_not_have(tmp_path, number):
    with pytest.raises(ValueError, match="JSON"):
        to_json_text({"x": number})
    (tmp_path / "a.json").write_text(json.dumps({"x": number}))
    with pytest.raises(GenwindowError, match="a.json cannot be read: (NaN|Infinity) is not a number"):
        read_json(tmp_path / "a.json")


def test_rejects_what_is_no_json_or_not_there_by_name(tmp_path):
    (tmp_path / "a.json").write_text('{"x": ')
    for name in ("a.json", "b.json"):
        with pytest.raises(GenwindowError, match=f"{name} cannot be read"):
            read_json(tmp_path / name)


def test_what_cannot_be_made_sense_of_is_said_of_the_file(tmp_path):
    with pytest.raises(GenwindowError, match=r"/a.json is damaged \(KeyError\)"), making_sense_of(tmp_path / "a.json"):
        {}["x"]
    with (
        pytest.raises(GenwindowError, match=r"/a.json is damaged \(low is missing\)"),
        making_sense_of(tmp_path / "a.json"),
    ):
        raise GenwindowError("low is missing")


def test_a_file_inside_a_package_is_found_and_none_where_there_is_no_package():
    assert packaged("genwindow", "py.typed").is_file()
    assert packaged("no_such_package", "x") is packaged("abc", "x") is None  # the second is a single file
