import json

import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.audit import audit, audit_features
from genwindow.data import Images, named_set

DIGITS = named_set("digits")
ORDER = np.random.default_rng(0).permutation(len(DIGITS))
OBLONG = Images.from_raw(np.random.default_rng(0).integers(0, 256, (9, 1, 8, 6), dtype=np.uint8))
TRAIN, HELDOUT, CLEAN = (DIGITS.select(ORDER[a:b]) for a, b in ((0, 700), (700, 1100), (1100, 1500)))


def images(pixels):
    return Images.from_raw(DIGITS.raw(pixels), low=0, high=16)


def with_copies(count, source=None):
    pixels = CLEAN.pixels.copy()
    pixels[:count] = TRAIN.pixels[np.arange(count) if source is None else source]
    return images(pixels)


@pytest.fixture(scope="module")
def ten():
    return audit(TRAIN, with_copies(10), HELDOUT)


def test_ten_planted_copies_are_found_named_and_counted(ten):
    assert ten.verdict == "copies_found" and ten.strict.value == 10 / 400
    assert {p.generated: p.train for p in ten.pairs[:10]} == {i: i for i in range(10)}
    assert all(p.strict and p.score == 0 for p in ten.pairs[:10]) and not any(p.strict for p in ten.pairs[10:])
    assert {p.train_name for p in ten.pairs[:10]} == {TRAIN.names[i] for i in range(10)}
    assert ten.spaces[0].f_mem.value == 10 / 400 and ten.spaces[0].floor.value == 0
    assert "not a proof of privacy" in ten.words[-1]


def test_real_images_are_not_accused():
    found = audit(TRAIN, CLEAN, HELDOUT)
    assert found.verdict == "none_found" and found.strict.value == 0 and found.copied_train == ()
    assert found.copies.low <= 0.01  # flagged no more often than held-out images are
    assert "0.00918" in found.words[0]  # the exact bound of 0 of 400


def test_one_copy_is_enough(ten):
    found = audit(TRAIN, with_copies(1), HELDOUT)
    assert found.verdict == "copies_found" and "1 of 400" in found.words[0]


def test_a_model_that_copies_ten_images_is_told_from_one_that_copies_all():
    ten_often = audit(TRAIN, with_copies(200, np.arange(200) % 10), HELDOUT)
    many = audit(TRAIN, with_copies(200), HELDOUT)
    assert set(ten_often.copied_train) == set(range(10))
    assert set(range(200)) <= set(many.copied_train) and len(many.copied_train) <= 200 / (1 - 0.05)
    assert ten_often.strict.value == many.strict.value == 0.5
    assert ten_often.spaces[0].coverage.high < many.spaces[0].coverage.value


def test_samples_that_repeat_one_another_are_spurious_and_no_copies():
    pixels = CLEAN.pixels.copy()
    pixels[:50] = HELDOUT.pixels[0]
    found = audit(TRAIN, images(pixels), HELDOUT.select(np.arange(1, 400)))
    assert found.spurious.value >= 50 / 400 and found.strict.value == 0


def test_few_samples_are_not_enough_to_say():
    found = audit(TRAIN, CLEAN.select(np.arange(50)), HELDOUT)
    assert found.verdict == "not_enough" and "368 samples" in found.words[0]


def test_without_heldout_images_the_evidence_is_called_weaker():
    found = audit(TRAIN, with_copies(10))
    assert found.verdict == "copies_found" and found.calibrated_on == "train"
    assert any("weaker evidence" in sentence for sentence in found.words)
    clean = audit(TRAIN, CLEAN)
    assert clean.verdict == "none_found" and clean.strict.value == 0


def test_every_space_and_an_own_one_are_answered():
    own = {"mean": lambda x: x.mean(axis=(2, 3))}
    found = audit(TRAIN, with_copies(40), HELDOUT, spaces=("pca", "pixels", "random-conv", "mean"), own_spaces=own)
    assert [space.name for space in found.spaces] == ["pca", "pixels", "random-conv", "mean"]
    assert all(space.f_mem.value >= 0.1 for space in found.spaces[:3])
    assert any("disagree" in sentence for sentence in found.words)


@pytest.mark.parametrize("heldout", [True, False])
def test_agrees_with_features_handed_over_from_files(tmp_path, heldout):
    """Mapped from disk, with a duplicated row: the same statistics as from the images."""

    def rows(pixels):
        return pixels.reshape(len(pixels), -1)

    generated, real = with_copies(10), HELDOUT if heldout else None
    np.save(tmp_path / "train.npy", np.concatenate([rows(TRAIN.pixels), rows(TRAIN.pixels[:5])]))
    mapped = np.load(tmp_path / "train.npy", mmap_mode="r")
    found = audit_features(mapped, rows(generated.pixels), None if real is None else rows(real.pixels), name="pixels")
    whole = audit(TRAIN, generated, real, spaces=("pixels",)).spaces[0]
    assert found.to_json() == whole.to_json()


def test_features_are_computed_once(tmp_path, monkeypatch):
    spaces = ("pixels", "pca", "random-conv")
    first = audit(TRAIN, with_copies(10), HELDOUT, spaces=spaces, cache=tmp_path / "cache")
    files = sorted((tmp_path / "cache").iterdir())
    assert len(files) == 9
    files[0].write_bytes(b"damaged")
    calls = []
    monkeypatch.setattr("genwindow.audit.spaces.apply", lambda name, space, x: calls.append(name) or space(x))
    again = audit(TRAIN, with_copies(10), HELDOUT, spaces=spaces, cache=tmp_path / "cache")
    assert len(calls) == 1  # the damaged file alone
    assert again.to_json() == first.to_json() == audit(TRAIN, with_copies(10), HELDOUT, spaces=spaces).to_json()


def test_agrees_with_a_faiss_index_kept_between_audits(tmp_path):
    pytest.importorskip("faiss")
    for _ in range(2):
        found = audit(TRAIN, with_copies(10), HELDOUT, index="faiss", cache=tmp_path)
    exact = audit(TRAIN, with_copies(10), HELDOUT)
    assert [one.to_json() for one in found.spaces] == [one.to_json() for one in exact.spaces]
    assert len(list(tmp_path.glob("*.faiss"))) == 2  # one for each space


def test_an_index_with_cells_says_what_it_may_miss(tmp_path, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("genwindow.audit.statistics.FLAT", 100)
    found = audit(TRAIN, with_copies(10), HELDOUT, spaces=("pixels",), index="faiss", cache=tmp_path)
    recall = found.spaces[0].recall
    assert recall.value > 0.3 and found.spaces[0].f_mem.value >= 10 / 400
    assert any("faiss index with cells" in note for note in found.notes)


def test_duplicated_rows_in_a_file_are_left_out_without_loading_it(tmp_path):
    from genwindow.audit.statistics import _distinct

    rows = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float16)
    np.save(tmp_path / "a.npy", rows[np.arange(120) % 50])
    with _distinct(np.load(tmp_path / "a.npy", mmap_mode="r")) as distinct:
        assert isinstance(distinct, np.memmap) and (np.asarray(distinct) == rows).all()


def test_groups_and_classes_are_counted():
    train = Images.from_raw(
        DIGITS.raw(TRAIN.pixels), low=0, high=16, groups=[f"p{i % 7}" for i in range(700)], labels=TRAIN.labels
    )
    found = audit(train, with_copies(14), HELDOUT)
    assert {(g.name, g.images, g.copies) for g in found.by_group["group"]} == {(f"p{i}", 100, 2) for i in range(7)}
    assert sum(row.copies for row in found.by_group["class"]) == 14


def test_roundtrip_json_is_plain_and_redaction_leaves_no_name(ten):
    text = json.dumps(ten.to_json(), allow_nan=False)
    assert json.loads(text)["schema"] == 2 and json.loads(text)["copies"][0]["train_name"] == ten.pairs[0].train_name
    redacted = ten.to_json(redact=True)
    assert "name" not in "".join(redacted["copies"][0])


def test_the_same_audit_twice_is_the_same(ten):
    assert audit(TRAIN, with_copies(10), HELDOUT, device="cpu").to_json() == ten.to_json()
    assert audit(TRAIN, with_copies(10), HELDOUT, size=8, channels="grey").pairs == ten.pairs


def test_a_device_may_be_left_to_the_machine():
    pixels = TRAIN.pixels.reshape(len(TRAIN), -1)
    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("auto is no CPU here")
    found = [audit_features(pixels, pixels[:50] + 0.1, device=device) for device in (None, "auto")]
    assert found[0].f_mem == found[1].f_mem and found[0].z == found[1].z
    assert audit(TRAIN, with_copies(1), HELDOUT, device="auto").verdict == "copies_found"
    with pytest.raises(GenwindowError, match="device must be cpu, cuda"):
        audit_features(pixels, pixels[:50], device="gpu")


@pytest.mark.gpu
def test_agrees_on_a_graphics_card(ten):
    found = audit(TRAIN, with_copies(10), HELDOUT, device="cuda")
    assert found.strict == ten.strict and found.spaces[0].f_mem == ten.spaces[0].f_mem


# Bad input: a clear line or a correct answer.


def test_leaks_are_refused_or_left_out_on_request():
    leaky = images(np.concatenate([HELDOUT.pixels, TRAIN.pixels[:3]]))
    with pytest.raises(GenwindowError, match="3 of 403 held-out images are training images"):
        audit(TRAIN, CLEAN, leaky)
    found = audit(TRAIN, CLEAN, leaky, allow_leak=True)
    assert found.counts["heldout"] == 400 and any("were left out" in note for note in found.notes)
    with pytest.raises(GenwindowError, match="every held-out image is a training image"):
        audit(TRAIN, CLEAN, TRAIN, allow_leak=True)


def test_swapped_sets_are_noticed():
    assert any("swapped" in note for note in audit(TRAIN, HELDOUT, HELDOUT).notes)
    found = audit(TRAIN, TRAIN, HELDOUT)
    assert found.verdict == "copies_found" and found.strict.value == 1 and any("swapped" in n for n in found.notes)


def test_swapped_sets_are_noticed_without_heldout_images_and_in_part():
    assert any("exactly the training images" in note for note in audit(TRAIN, TRAIN.select(np.arange(700))).notes)
    mixed = images(np.concatenate([CLEAN.pixels, HELDOUT.pixels[:30]]))
    notes = audit(TRAIN, mixed, HELDOUT).notes
    assert any("30 of 430 generated images are held-out images bit for bit" in note for note in notes)


def test_near_duplicates_of_training_images_calibrate_nothing():
    """A leak that was saved anew: three held-out images are training images but for rounding."""
    near = np.clip(TRAIN.pixels[:3] + np.float32(0.01), -1, 1)
    leaky = Images.from_raw(DIGITS.raw(HELDOUT.pixels), low=0, high=16).pixels
    leaky = np.concatenate([leaky, near])
    float_train, float_clean = TRAIN.pixels.astype(np.float64), CLEAN.pixels.astype(np.float64)
    with pytest.raises(GenwindowError, match=r"3 of 403 held-out images are training images or near .* \(0 exactly\)"):
        audit(float_train, float_clean, leaky.astype(np.float64))
    found = audit(float_train, float_clean, leaky.astype(np.float64), allow_leak=True)
    assert found.counts["heldout"] == 400 and any("were left out" in note for note in found.notes)


def test_one_training_image_is_ill_posed_and_answered():
    found = audit(TRAIN.select([0]), CLEAN, HELDOUT)
    assert found.verdict == "not_enough" and "two distinct" in found.words[0]
    assert found.spaces[0].f_mem.status == "ill_posed"


def test_a_training_set_of_equal_images_is_answered():
    found = audit(TRAIN.select([0, 0, 0]), CLEAN, HELDOUT)
    assert found.verdict == "not_enough" and found.duplicates == 2


def test_one_generated_and_one_heldout_image_are_answered():
    found = audit(TRAIN, CLEAN.select([0]), HELDOUT.select([0]))
    assert found.verdict == "not_enough" and found.spurious.status == "ill_posed"


def test_heldout_images_that_are_all_equal_count_as_one():
    pixels = np.repeat(HELDOUT.pixels[:1], 300, axis=0)
    found = audit(TRAIN, with_copies(3), images(pixels))
    notes = " ".join(found.notes)
    assert "Only 1 of 300 held-out images are distinct" in notes and "1 distinct real images are too few" in notes
    assert found.verdict == "not_enough" and "real images would show it" in found.words[0]
    assert "Only" not in " ".join(audit(TRAIN, with_copies(3), HELDOUT).notes)


def test_constant_samples_are_answered():
    found = audit(TRAIN, images(np.zeros_like(CLEAN.pixels)), HELDOUT)
    assert found.spurious.value == 1 and found.strict.value == 0


def test_real_valued_samples_in_minus_one_to_one_meet_8_bit_files(tmp_path):
    """What a generator hands over, beside what it was trained on: the two must get one meaning."""
    grey = np.round((TRAIN.pixels + 1) * 127.5).astype(np.uint8)
    samples = with_copies(10).pixels
    np.savez(tmp_path / "samples.npz", images=samples)
    found = audit(grey, str(tmp_path / "samples.npz"), np.round((HELDOUT.pixels + 1) * 127.5).astype(np.uint8))
    assert found.strict.value == 10 / 400 and any("-1 to 1" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated": np.zeros((3, 1, 9, 9), dtype=np.uint8)}, "generated images are 9x9 pixels, train images 8x8"),
        ({"generated": np.zeros((3, 3, 8, 8), dtype=np.uint8)}, "3 channel"),
        ({"generated": np.linspace(-4, 9, 192).reshape(3, 1, 8, 8)}, "pixel values cannot be compared"),
        ({"generated": "nowhere"}, "generated: there is no data set and no path called 'nowhere'"),
        ({"spaces": ()}, "one feature space at least"),
        ({"spaces": ("vgg",)}, "space must be one of pixels, pca, .*; got 'vgg'"),
        (
            {"spaces": ("bad",), "own_spaces": {"bad": lambda x: x}},
            r"space bad must give \(400, k\)|must give \(700, k\)",
        ),
        (
            {"spaces": ("bad",), "own_spaces": {"bad": lambda x: np.full((len(x), 2), np.nan)}},
            "NaN or infinite features",
        ),
        ({"false_positive_rate": 0.0}, "false_positive_rate must be"),
        ({"target": 1.0}, "target must be"),
        ({"device": "gpu"}, "device must be cpu, cuda"),
        ({"size": 4}, r"train: Images of shape \(1, 8, 8\) are taken as they are"),
        ({"train": OBLONG, "generated": OBLONG, "heldout": None, "size": 6}, "make them with"),
        ({"channels": "colour"}, "make them with size and channels"),
    ],
)
def test_rejects(change, message):
    with pytest.raises(GenwindowError, match=message):
        audit(**{"train": TRAIN, "generated": CLEAN, "heldout": HELDOUT, **change})
