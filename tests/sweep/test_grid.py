import json

import pytest

from genwindow import GenwindowError
from genwindow.sweep import Grid, parse_axis, read_grid, run_id

TEXT = """
base:
  data: {source: digits}
  net: {width: 16}
runs:
  - {data.n: 64, train.steps: 500}
  - data: {n: 128}
    train: {steps: 1000}
grid:
  train.seed: [0, 1]
  train.lr: 0.001
"""


def test_a_file_stands_for_its_runs(tmp_path):
    (tmp_path / "grid.yaml").write_text(TEXT)
    made = read_grid(tmp_path / "grid.yaml").configs()
    assert [(c.data.n, c.train.steps, c.train.seed) for c in made] == [
        (64, 500, 0), (64, 500, 1), (128, 1000, 0), (128, 1000, 1)
    ]  # fmt: skip
    assert {c.net.width for c in made} == {16}


def test_numbers_are_written_as_on_the_command_line(tmp_path):
    (tmp_path / "grid.yaml").write_text("grid: {train.lr: [1e-3, 1.5E-4, 1.e+0, .5e1], data.source: [digits, 1e5x]}")
    axes = read_grid(tmp_path / "grid.yaml").axes
    assert axes == {"train.lr": [1e-3, 1.5e-4, 1.0, 5.0], "data.source": ["digits", "1e5x"]}
    (tmp_path / "grid.yaml").write_text("grid: {train.lr: 1e-3}")
    assert [c.train.lr for c in read_grid(tmp_path / "grid.yaml").configs()] == [1e-3]


def test_json_is_a_grid_file_too(tmp_path):
    (tmp_path / "grid.json").write_text(json.dumps({"grid": {"data": {"n": [8, 16]}}}))
    assert [c.data.n for c in read_grid(tmp_path / "grid.json").configs()] == [8, 16]


def test_ids_depend_on_the_settings_only():
    one = Grid({}, axes={"data.n": (8, 16)}).configs()
    other = Grid({"data.n": 16}, axes={"train.seed": (0, 1), "net.width": (256,)}).configs()
    assert run_id(one[1]) == run_id(other[0])  # the same settings said in another way
    assert len({run_id(c) for c in (*one, *other)}) == 3


def test_the_same_run_said_twice_is_one():
    assert len(Grid({}, ({"data.n": 8}, {"data.n": 8}), {"train.seed": (0, 0)}).configs()) == 1


def test_rejects_runs_that_would_be_one_on_several_devices():
    with pytest.raises(GenwindowError, match="nothing but device: 'cpu' against 'cuda', which makes no other run"):
        Grid({}, axes={"data.n": (8, 16), "device": ("cpu", "cuda")}).configs()


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("data.n=64,128", "data.n", [64, 128]),
        ("train.seed=0..4", "train.seed", [0, 1, 2, 3, 4]),
        ("data.n=32..1024*2", "data.n", [32, 64, 128, 256, 512, 1024]),
        ("train.lr=1e-3,0.01", "train.lr", [1e-3, 0.01]),
        ("data.source=digits,my images/a.zip", "data.source", ["digits", "my images/a.zip"]),
        ("train.fixed_t=null,5", "train.fixed_t", [None, 5]),
        ("measure.loss_times=[0.1,0.2],[0.5]", "measure.loss_times", [[0.1, 0.2], [0.5]]),
    ],
)
def test_axes_on_the_command_line(text, name, values):
    assert parse_axis(text) == (name, values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data.n", "NAME=VALUES"),
        ("=3", "NAME=VALUES"),
        ("data.n=", "NAME=VALUES"),
        ("data.n=1,,2", "empty value"),
        ("data.m=3", "unknown setting data.m"),
        ("data=3", "data is a group of settings"),
        ("train.seed=4..0", "empty range; give the smaller end first"),
        ("train.seed=0..9999999999", "has 10,000,000,000 values; at most 100,000 are taken"),
        ("data.n=0..8*2", "start of 1"),
        ("data.n=1..8*1", "factor of 2"),
    ],
)
def test_rejects_bad_axes(text, message):
    with pytest.raises(GenwindowError, match=message.replace(".", r"\.")):
        parse_axis(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must hold a table"),
        ("grids: {}", "unknown part grids"),
        ("base: 3", "base must be a table"),
        ("runs: {a: 1}", "runs must be a list"),
        ("grid: [1]", "grid must be a table"),
        ("a: [", "neither YAML nor JSON"),
        ("!!python/object/apply:os.system ['true']", "neither YAML nor JSON"),
    ],
)
def test_rejects_bad_files(tmp_path, text, message):
    (tmp_path / "grid.yaml").write_text(text)
    with pytest.raises(GenwindowError, match=message):
        read_grid(tmp_path / "grid.yaml")


def test_rejects_a_file_that_is_not_there(tmp_path):
    with pytest.raises(GenwindowError, match="cannot be read"):
        read_grid(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (Grid({"data.m": 3}), "unknown setting data.m"),
        (Grid({}, axes={"data.n": (0, 8)}), "n must be at least 1, got 0"),
        (Grid({"data": 3}), "must be a table of settings"),
        (Grid({"data.n.x": 3, "data.n": 4}), "is a group of settings"),
        (Grid({}, axes={"data.n": ()}), "has no values"),
        (Grid({}, axes={"data.n": range(1, 1000), "train.seed": range(1000)}), "999,000 runs"),
    ],
)
def test_rejects_impossible_grids(grid, message):
    with pytest.raises(GenwindowError, match=message):
        grid.configs()


def test_rejects_an_axis_that_the_file_sets_run_by_run():
    with pytest.raises(GenwindowError, match=r"data\.n: set in `runs`"):
        Grid({}, ({"data.n": 8},)).with_axes({"data.n": [16]})
