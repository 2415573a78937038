import io
import json
import random
import zipfile

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


def picture(side=8, **options):
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((side, side), dtype=np.uint8)).save(buffer, **{"format": "PNG", **options})
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": b"not a picture"}, "1 of 2 images cannot be used"),
        ({"a.png": b""}, "1 of 2 images cannot be used"),
        ({"a.png": picture(1)}, "of different kinds"),
    ],
)
def test_broken_files_are_named(tmp_path, capsys, files, message):
    (tmp_path / "set").mkdir()
    for name, content in {**files, "b.png": picture()}.items():
        (tmp_path / "set" / name).write_bytes(content)
    assert main(["audit", f"--train={tmp_path}/set", "--generated=digits", f"--out={tmp_path}/out"]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_fuzzed_pictures_and_archives_never_end_in_a_traceback(tmp_path, capsys):
    """Bytes of a PNG and of a zip are changed at random: each is one clear line or an answer."""
    chance = random.Random(0)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for i in range(3):
            made.writestr(f"{i}.png", picture())
    for kind, whole in (("png", picture()), ("zip", archive.getvalue())):
        for _ in range(60):
            data = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            del data[chance.randint(len(data) // 2, len(data)) :]
            place = tmp_path / "set"
            place.mkdir(exist_ok=True)
            file = tmp_path / "set.zip" if kind == "zip" else place / "a.png"
            file.write_bytes(data)
            source = file if kind == "zip" else place
            code = main(["audit", f"--train={source}", f"--generated={source}", f"--out={tmp_path}/out"])
            error = capsys.readouterr().err
            assert code in (0, 2) and "Traceback" not in error
