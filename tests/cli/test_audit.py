import io
import json
import random
import shutil
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from genwindow.cli.main import main
from genwindow.data import named_set


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("sets")
    digits = named_set("digits")
    raw = np.round((digits.pixels + 1) * 127.5).astype(np.uint8)
    copied = raw[600:800].copy()
    copied[:8] = raw[:8]
    for name, part in (("train", raw[:300]), ("heldout", raw[300:600]), ("clean", raw[600:800]), ("copied", copied)):
        np.save(where / f"{name}.npy", part)
    return where


def arguments(folder, generated, *more):
    return ["audit", f"--train={folder}/train.npy", f"--generated={folder}/{generated}", *more]


def test_an_audit_from_files_to_verdict(folder, tmp_path, capsys):
    command = arguments(folder, "copied.npy", f"--heldout={folder}/heldout.npy", f"--out={tmp_path}/a")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "Copies found: 8 of 200" in printed and "audit.html" in printed
    assert json.loads((tmp_path / "a" / "audit.json").read_text())["verdict"] == "copies_found"


def test_the_exit_code_serves_pipelines(folder, tmp_path, capsys):
    held, out = f"--heldout={folder}/heldout.npy", f"--out={tmp_path}/a"
    assert main(arguments(folder, "copied.npy", held, out, "--fail-above=0.01")) == 1
    assert (tmp_path / "a" / "audit.json").exists()
    assert main(arguments(folder, "copied.npy", held, out, "--fail-above=0.1")) == 0
    assert main(arguments(folder, "clean.npy", held, out, "--fail-above=0")) == 0


def test_demo_finds_what_was_planted_and_accuses_nobody(tmp_path, capsys):
    assert main(["audit", "--demo", f"--out={tmp_path}/demo"]) == 0
    printed = capsys.readouterr().out
    assert "Planted copies: 20 of 20 found" in printed and "Real images only: 0 of 400" in printed
    assert (tmp_path / "demo" / "negative" / "audit.html").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "--train and --generated must say where the images are"),
        (["--train=digits"], "--generated must say"),
        (["--train=digits", "--generated=nowhere"], "generated: there is no data set and no path called 'nowhere'"),
        (["--train=digits", "--generated=digits", "--spaces=vgg"], "space must be one of"),
        (["--train=digits", "--generated=digits", "--fail-above=2"], "--fail-above must be a number in [0, 1]"),
        (["--train=digits", "--generated=digits", "--heldout=digits"], "every held-out image is a training image"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, capsys, more, message):
    monkeypatch.chdir(tmp_path)
    assert main(["audit", *more]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow")]
    assert len(lines) == 1 and message in lines[0]
    assert not list(tmp_path.iterdir())


def test_an_audit_does_not_write_among_things_that_are_not_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.txt").write_text("x")
    assert main(["audit", "--train=digits", "--generated=digits", "--out=."]) == 2
    assert "is not empty and holds no audit.json (found mine.txt); choose another folder" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("what", [["--train=nowhere", "--generated=digits"], ["--demo"]])
def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path, monkeypatch, capsys, what):
    (tmp_path / "file").touch()
    assert main(["audit", *what, f"--out={tmp_path}/file/a/b"]) == 2
    assert f"--out {tmp_path}/file/a/b cannot be made: {tmp_path}/file is a file" in capsys.readouterr().err
    (tmp_path / "there").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path / "there")
    assert main(["audit", *what, f"--out={tmp_path}/there/a/b"]) == 2
    assert f"--out {tmp_path}/there/a/b cannot be made: {tmp_path}/there is read-only" in capsys.readouterr().err
    assert main(["audit", *what, f"--out={tmp_path}/there"]) == 2
    assert f"--out {tmp_path}/there is read-only" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["file", "there"]


def picture(side=8, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side), dtype=np.uint8)).save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


def moving():
    buffer = io.BytesIO()
    frames = [Image.new("L", (8, 8), 40 * i) for i in range(3)]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def bomb():
    """A small PNG that claims to be 100,000 pixels wide and high."""
    data = bytearray(picture())
    data[16:24] = struct.pack(">II", 100_000, 100_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": b"not a picture"}, "1 of 2 images cannot be used"),
        ({"a.png": b""}, "1 of 2 images cannot be used"),
        ({"a.png": picture(1)}, "of different kinds"),
        ({"a.gif": moving()}, "has 3 frames"),
        ({"a.png": bomb()}, "more than"),
        ({"a.png": picture(9)}, "of different kinds"),
    ],
)
def test_broken_files_are_named(tmp_path, capsys, files, message):
    (tmp_path / "set").mkdir()
    for name, content in {**files, "b.png": picture()}.items():
        (tmp_path / "set" / name).write_bytes(content)
    assert main(["audit", f"--train={tmp_path}/set", "--generated=digits", f"--out={tmp_path}/out"]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_names_that_leave_a_zip_are_only_names(tmp_path, capsys):
    """Absolute names, `..` and HTML: nothing is written there, and the page shows them as text."""
    rng = np.random.default_rng(0)
    names = ["../../outside.png", f"{tmp_path}/absolute.png", "<img src=x onerror=alert(1)>.png", "a.png"]
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as made:
        for name in names:
            buffer = io.BytesIO()
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(buffer, "PNG")
            made.writestr(name, buffer.getvalue())
    source, out = tmp_path / "set.zip", tmp_path / "work" / "out"
    assert main(["audit", f"--train={source}", f"--generated={source}", f"--out={out}"]) == 0
    assert "swapped by mistake" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["set.zip", "work"]
    assert not (tmp_path.parent / "outside.png").exists()
    page = (out / "audit.html").read_text()
    assert "<img src=x" not in page and "&lt;img src=x" in page and "../../outside.png" in page


def test_images_of_one_pixel_are_answered(tmp_path, capsys):
    rng = np.random.default_rng(0)
    for name, count in (("train", 60), ("generated", 40), ("heldout", 50)):
        np.save(tmp_path / f"{name}.npy", rng.uniform(size=(count, 1, 1, 1)))
    sets = [f"--{name}={tmp_path}/{name}.npy" for name in ("train", "generated", "heldout")]
    assert main(["audit", *sets, f"--out={tmp_path}/out", "--allow-leak"]) == 0
    assert json.loads((tmp_path / "out" / "audit.json").read_text())["verdict"] != "copies_found"


FILES = ["audit.html", "audit.json", "model-card.md", "pairs.csv"]


@pytest.mark.parametrize("kind", ["png", "zip", "tar", "npz"])
def test_fuzzed_files_never_end_in_a_traceback(tmp_path, capsys, kind):
    """Bytes are changed and cut at random: each is one clear line and no folder, or a whole answer."""
    chance, rng = random.Random(kind), np.random.default_rng(0)
    pictures = {}
    for i in range(3):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (6, 6), dtype=np.uint8)).save(buffer, "PNG")
        pictures[f"{i}.png"] = buffer.getvalue()
    (tmp_path / "set").mkdir()
    packed = io.BytesIO()
    if kind == "png":
        packed.write(pictures["0.png"])
        (tmp_path / "set" / "b.png").write_bytes(pictures["1.png"])
    elif kind == "zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for name, content in pictures.items():
                archive.writestr(name, content)
    elif kind == "tar":
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, content in pictures.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    else:
        np.savez(packed, images=rng.integers(0, 255, (3, 6, 6), dtype=np.uint8), groups=np.array(["a", "b", "b"]))
    source = tmp_path / "set" if kind == "png" else tmp_path / f"set.{kind}"
    file = source / "a.png" if kind == "png" else source
    whole = packed.getvalue()[:4096]  # without the padding of a tar
    out, codes = tmp_path / "out", set()
    for _ in range(10 if kind == "tar" else 30):  # no checksums in a tar: most are read
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randint(1, len(data)) :]
        file.write_bytes(data)
        code = main(["audit", f"--train={source}", f"--generated={source}", f"--out={out}", "--spaces=pixels"])
        error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("genwindow")]
        assert code in (0, 2) and len(error) == (code == 2)
        assert (sorted(path.name for path in out.iterdir()) == FILES) if out.exists() else code == 2
        codes.add(code)
        shutil.rmtree(out, ignore_errors=True)
    assert 2 in codes
