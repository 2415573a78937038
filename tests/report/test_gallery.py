from __future__ import annotations

import base64
import dataclasses
import io
import json

import numpy as np
import pytest
from PIL import Image

from genwindow.report.gallery import (
    gallery_data,
    last_frame,
    limit_words,
    place,
    png_uri,
    ratio_words,
    sheets,
    still_cards,
)


def pixels(uri):
    head, body = uri.split(",")
    assert head == "data:image/png;base64"
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(body))))
    return image if image.ndim == 3 else image[..., None]


def cell(sheet, number, columns, height, width):
    row, column = divmod(number, columns)
    return sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize("channels", [1, 3])
def test_roundtrip_images_through_a_sheet(channels):
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, channels)).astype(np.uint8)
    sheet = pixels(png_uri(images, 3))
    assert sheet.shape == (15, 12, channels)
    for number, image in enumerate(images):
        assert np.array_equal(cell(sheet, number, 3, 5, 4), image)


def test_roundtrip_every_frame_shows_its_own_sample_and_training_image(four):
    run = four[2]
    data = json.loads(json.dumps(gallery_data(run, "n = 128", 10**7)))
    generated, nearest = pixels(data["generated"]), pixels(data["nearest"])
    assert [f["step"] for f in data["frames"]] == run.gallery.step.tolist()
    for i, frame in enumerate(data["frames"]):
        for k, (ratio, near) in enumerate(zip(frame["ratio"], frame["near"], strict=True)):
            columns = data["columns"]["generated"]
            assert np.array_equal(cell(generated, i * columns + k, columns, 8, 8), run.gallery.generated[i, k])
            assert np.array_equal(cell(nearest, near, data["columns"]["nearest"], 8, 8), run.gallery.nearest[i, k])
            assert data["index"][near] == run.gallery.nearest_index[i, k]
            assert ratio == pytest.approx(run.gallery.ratio[i, k], abs=5e-5)


def test_roundtrip_f_mem_of_a_frame_is_the_measured_one(four):
    curve = four[2].curve("f_mem")
    frames = gallery_data(four[2], "n = 128", 10**7)["frames"]
    assert [f["f_mem"] for f in frames] == curve.value.tolist()
    assert [f["low"] for f in frames] == curve.low.tolist()


@pytest.mark.parametrize("budget", [20_000, 100_000, 400_000])
def test_limit_the_budget_holds_and_the_ends_of_training_stay(build, budget):
    large = np.random.default_rng(0).integers(0, 256, (30, 16, 48, 48, 3)).astype(np.uint8)
    gallery = dataclasses.replace(
        build().gallery,
        step=np.arange(1, 31) * 100,
        generated=large,
        nearest=large,
        ratio=np.ones((30, 16)),
        nearest_index=np.arange(480).reshape(30, 16),
    )
    kept = sheets(gallery, budget)
    assert kept.step[0] == 100
    assert kept.step[-1] == 3000
    assert kept.generated.shape[1] >= 6
    smallest = kept.generated.shape[2] == 16 and len(kept.step) == 8
    assert kept.generated.nbytes + kept.nearest.nbytes <= budget or smallest


def test_limit_a_ratio_that_is_not_a_number_is_shown_as_none(four):
    ratio = four[0].gallery.ratio.copy()
    ratio[-1, 0] = np.inf
    run = dataclasses.replace(four[0], gallery=dataclasses.replace(four[0].gallery, ratio=ratio))
    assert gallery_data(run, "n = 32", 10**6)["frames"][-1]["ratio"][0] is None
    first = still_cards(run, 10**6)[0]
    assert first["ratio"] == "-"
    assert not first["copy"]


def test_order_still_cards_mark_exactly_the_ratios_below_the_threshold(four):
    run = four[3]
    cards = still_cards(run, 10**6)
    expected = run.gallery.ratio[-1, : len(cards)] < run.config.measure.threshold
    assert [card["copy"] for card in cards] == expected.tolist()
    assert 0 < sum(expected) < len(cards)


def test_limit_a_run_without_images_has_no_gallery(mixed):
    assert gallery_data(mixed[-1], "n = 900", 10**6) is None
    assert still_cards(mixed[-1], 10**6) == []
    assert last_frame(mixed[-1]) == ""


def test_closed_form_place_on_the_slider():
    step = np.array([100, 200, 400, 1600])
    assert place(step, 100) == 0
    assert place(step, 1600) == 1
    assert place(step, 400) == pytest.approx(2 / 3)
    assert place(step, 800) == pytest.approx(2.5 / 3)
    assert place(step, None) is None
    assert place(step, 50) is None
    assert place(step[:1], 100) is None


def test_a_ratio_reads_as_on_its_side_of_the_threshold():
    third = 1 / 3
    shown = [ratio_words(r, third) for r in (0.05, 0.331, 0.3334, 0.3336, 0.338, third)]
    assert shown == ["0.05", "0.33", "0.3334", "0.334", "0.34", "0.333333"]
    assert [ratio_words(r, 0.5) for r in (0.498, 0.5)] == ["0.498", "0.50"]
    assert limit_words(third) == "1/3" and limit_words(0.125) == "0.125"
