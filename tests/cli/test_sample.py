"""`genwindow sample`: files from the weights of a run."""

import numpy as np
import pytest
from PIL import Image

from genwindow.cli.main import main
from genwindow.data import open_images

SMALL = [
    "--data.n=12", "--data.heldout=40", "--data.reference=40", "--net.kind=mlp", "--net.width=16", "--net.blocks=1",
    "--train.steps=40", "--train.batch=8", "--measure.first=10", "--measure.per_octave=1", "--measure.samples=16",
    "--measure.sampler_steps=4", "--measure.loss_images=8", "--measure.loss_draws=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on images and one on points."""
    made = tmp_path_factory.mktemp("runs")
    assert main(["train", *SMALL, "--out", str(made / "digits")]) == 0
    assert main(["train", *SMALL, "--data.source=mixture", "--out", str(made / "points")]) == 0
    return made


def test_a_folder_of_pictures_that_an_audit_can_read(runs, tmp_path, capsys):
    out = tmp_path / "drawn"
    assert main(["sample", str(runs / "digits"), "--n", "5", "--weights", "final", "--out", str(out)]) == 0
    assert f"5 images from the weights of step 40: {out}" in capsys.readouterr().out
    assert sorted(p.name for p in out.iterdir()) == [f"0000{i}.png" for i in range(5)]
    array = tmp_path / "drawn.npy"
    assert main(["sample", str(runs / "digits"), "--n", "5", "--weights", "final", "--out", str(array)]) == 0
    assert np.array_equal(np.load(array)[3, ..., 0], np.asarray(Image.open(out / "00003.png")))
    assert open_images(out).pixels.shape == (5, 1, 8, 8)
    assert {p.name for p in tmp_path.iterdir()} == {"drawn", "drawn.npy"}


def test_training_says_which_weights_it_kept(tmp_path, capsys):
    assert main(["train", *SMALL, "--out", str(tmp_path / "my run")]) == 0
    printed = capsys.readouterr().out
    assert "Weights kept: best (step " in printed and "final (step 40)" in printed
    assert f"genwindow sample '{tmp_path / 'my run'}' --weights best --n 500" in printed


@pytest.mark.parametrize(
    ("run", "options", "message"),
    [
        ("digits", ["--weights", "stop"], "has no weights 'stop'; there are best, final"),
        ("digits", ["--weights", "worst"], "--weights must be one of best, stop, final, got worst"),
        ("digits", ["--n", "0"], "count must be"),
        ("digits", ["--label", "3"], "knows no classes"),
        ("points", [], "a run on points, which are no images"),
        ("none", [], "holds no run"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(runs, tmp_path, capsys, run, options, message):
    assert main(["sample", str(runs / run), "--out", str(tmp_path / "out"), *options]) == 2
    error = capsys.readouterr().err
    assert message in error and len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_nothing_is_written_over(runs, tmp_path, capsys):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "mine.npy").write_text("mine")
    for name, kind in (("full", "folder"), ("mine.npy", "file")):
        assert main(["sample", str(runs / "digits"), "--out", str(tmp_path / name)]) == 2
        assert f"is there already; choose another {kind}" in capsys.readouterr().err
    assert (tmp_path / "mine.npy").read_text() == (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_an_empty_folder_that_is_there_is_filled_and_stays_the_one_it_is(runs, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "other")
    inode = (tmp_path / "empty").stat().st_ino
    monkeypatch.chdir(tmp_path / "empty")
    for out in (".", str(tmp_path / "link")):
        assert main(["sample", str(runs / "digits"), "--n", "2", "--out", out]) == 0
    for name in ("empty", "other"):
        assert sorted(p.name for p in (tmp_path / name).iterdir()) == ["00000.png", "00001.png"]
    assert (tmp_path / "empty").stat().st_ino == inode and (tmp_path / "link").is_symlink()
    assert {p.name for p in tmp_path.iterdir()} == {"empty", "other", "link"}
