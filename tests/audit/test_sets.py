import numpy as np
import pytest

from genwindow import GenwindowError
from genwindow.audit.sets import read_sets
from genwindow.data import Images, named_set

UNIT = named_set("digits").raw(named_set("digits").pixels)[:, 0] / 16  # (1797, 8, 8) in [0, 1]
SIGNED, BYTES, EIGHT_BIT = UNIT * 2 - 1, UNIT * 255, np.round(UNIT * 255).astype(np.uint8)
WHITE = 1 - UNIT / 4  # in [0.75, 1]


@pytest.mark.parametrize(
    ("train", "generated", "said"),
    [
        (SIGNED, UNIT, "train -1 to 1, generated 0 to 1; bring all sets to one range"),
        (UNIT, SIGNED, "train 0 to 1, generated -1 to 1; bring"),
        (SIGNED, UNIT * 1.1 - 0.05, r"generated -0.05 to 1.05; bring"),
        (SIGNED, UNIT[:1], "generated 0 to 0.9375; bring"),
        (BYTES, UNIT, "train 0 to 255, generated 0 to 1; bring"),
        (BYTES, SIGNED, "train 0 to 255, generated -1 to 1; bring"),
        (SIGNED, BYTES, "train -1 to 1, generated 0 to 255; bring"),
        (EIGHT_BIT, BYTES * 0.99, "train 0 to 255, generated 0 to 252.45; save all sets"),
        (EIGHT_BIT, UNIT * 1.02 - 0.02, "generated -0.02 to 1; save all sets .* clipped to"),
    ],
)
def test_rejects_another_scale(train, generated, said):
    with pytest.raises(GenwindowError, match="^pixel values cannot be compared: .*" + said):
        read_sets(train, generated)


def test_rejects_held_out_images_on_another_scale():
    with pytest.raises(GenwindowError, match="train 0 to 255, generated 0 to 1, heldout -1 to 1; bring"):
        read_sets(EIGHT_BIT, UNIT[:50], SIGNED[50:])


@pytest.mark.parametrize(
    ("train", "generated"),
    [
        (UNIT, UNIT * 1.2 - 0.1),  # that nobody clipped
        (SIGNED, SIGNED * 0.3),  # low contrast
        (SIGNED, np.random.default_rng(0).normal(size=(50, 8, 8))),
        (BYTES, BYTES * 1.02 - 3),
        (np.concatenate([SIGNED[:100], WHITE[:100]]), WHITE[100:104]),  # half of the images are white, and these four
    ],
)
def test_one_scale_is_compared(train, generated):
    found = read_sets(train, generated)
    np.testing.assert_allclose([found.train.low, found.train.high], [found.generated.low, found.generated.high])


@pytest.mark.parametrize("generated", [UNIT, SIGNED])
def test_real_numbers_beside_whole_ones_mean_what_they_say(generated):
    found = read_sets(EIGHT_BIT, generated)
    np.testing.assert_allclose(found.generated.pixels, found.train.pixels, atol=1 / 255)


def test_whoever_names_the_range_of_bright_images_is_believed():
    with pytest.raises(GenwindowError, match=r"generated 0.75 to 1; .*Images.from_raw\(x, low=-1, high=1\)"):
        read_sets(SIGNED, WHITE)
    found = read_sets(SIGNED, Images.from_raw(WHITE[:, None], low=-1, high=1))
    np.testing.assert_allclose(found.generated.pixels[:, 0], WHITE, atol=1e-6)


@pytest.mark.parametrize("widen", [np.int16, np.int32, np.int64, np.uint32])
def test_whole_numbers_of_wider_types_are_on_one_scale(widen):
    """Both sets use a part of the range only, and not the same part: copies are copies nevertheless."""
    dark = np.clip(EIGHT_BIT, 3, 251)
    assert (
        read_sets(dark.astype(widen), EIGHT_BIT).generated.pixels == read_sets(dark, EIGHT_BIT).generated.pixels
    ).all()
    tomogram = (EIGHT_BIT.astype(np.int64) * 16 - 1000).astype(np.int32 if widen is np.uint32 else widen)
    found = read_sets(tomogram, tomogram[:100].clip(-900, 2000))
    np.testing.assert_array_equal(found.generated.raw(found.generated.pixels)[:, 0], tomogram[:100].clip(-900, 2000))
    assert (found.generated.low, found.generated.high, found.generated.whole) == (
        found.train.low,
        found.train.high,
        True,
    )
    with pytest.raises(GenwindowError, match="generated -1000 to 3080; save all sets with whole numbers of one kind"):
        read_sets(EIGHT_BIT, tomogram)


def test_sets_of_very_different_spans_are_remarked():
    sixteen = read_sets(UNIT * 16, BYTES)
    assert "An image usually spans 255 in generated and 16 in train: if these are two scales" in sixteen.notes[-1]
    assert not any("spans" in note for note in read_sets(BYTES, BYTES * 0.5).notes)


def test_a_set_of_one_value_is_compared():
    found = read_sets(UNIT, np.full((5, 8, 8), 0.5))
    np.testing.assert_allclose(found.generated.pixels, 0, atol=1e-6)
