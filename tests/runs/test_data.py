import dataclasses

import numpy as np
import pytest
from PIL import Image

from genwindow import GenwindowError
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, RunFolder, TrainSettings, execute
from genwindow.runs.data import build_data


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Eight sub-folders of six images; the brightness of an image tells its sub-folder."""
    where = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for k in range(8):
        (where / f"class{k}").mkdir()
        for i in range(6):
            grey = rng.integers(30 * k, 30 * k + 20, (8, 8), dtype=np.uint8)
            Image.fromarray(grey).save(where / f"class{k}" / f"{i}.png")
    return str(where)


def settings(source, **changed):
    return DataSettings(source, n=10, heldout=12, reference=12, **changed)


def classes(images, data):
    return set((data.display(images).reshape(len(images), -1).mean(1) // 30).astype(int).tolist())


def test_groups_are_never_divided_and_what_went_where_is_said(folders):
    data = build_data(settings(folders))
    sides = [classes(part, data) for part in (data.train, data.heldout, data.reference)]
    assert all(one.isdisjoint(other) for one, other in zip(sides, sides[1:] + sides[:1], strict=True))
    assert data.groups.startswith("The 8 groups (sub-folders or the like) are never divided: 4 to train on, 2 held out")
    assert data.train_labels is None and data.classes == 0


@pytest.mark.parametrize(("groups", "count"), [("classes", 8), ("ignored", 0)])
def test_groups_that_are_classes_or_nothing_are_on_every_side(folders, groups, count):
    data = build_data(settings(folders, groups=groups))
    assert len(classes(data.heldout, data)) > 4 and data.classes == count and data.groups == ""
    if count:
        shown = data.display(data.train).reshape(10, -1).mean(1) // 30
        np.testing.assert_array_equal(data.train_labels, shown)


def test_a_run_keeps_what_it_was_told_of_groups(folders, tmp_path):
    config = RunConfig(
        settings(folders), net=NetSettings("mlp", 16, 1), train=TrainSettings(steps=2, batch=4),
        measure=MeasureSettings(first=1, samples=8, sampler_steps=2, loss_images=4, loss_draws=1),
    )  # fmt: skip
    assert execute(config, tmp_path / "run").groups == build_data(config.data).groups
    told = dataclasses.replace(config, data=settings(folders, groups="classes"))
    told = dataclasses.replace(told, net=dataclasses.replace(config.net, conditional=True))
    execute(told, tmp_path / "told")
    assert RunFolder(tmp_path / "told").load().groups == ""


def test_sub_folders_that_may_be_classes_are_pointed_to(folders, tmp_path):
    config = RunConfig(data=settings(folders), net=NetSettings("mlp", 8, 1, conditional=True))
    with pytest.raises(
        GenwindowError, match=r"has no labels; if its sub-folders are the classes, say data.groups=classes"
    ):
        execute(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (DataSettings("digits", groups="classes"), "data.groups: digits has no groups"),
        (DataSettings("mixture", groups="ignored"), "data.groups must be together for points"),
    ],
)
def test_rejects_groups_where_there_are_none(given, message):
    with pytest.raises(GenwindowError, match=message):
        build_data(given)
