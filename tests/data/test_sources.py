import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from genwindow import GenwindowError
from genwindow.data import load_images
from genwindow.data.pixels import convert_channels, crop_and_resize

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 6, 6), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (12, 6, 6, 3), dtype=np.uint8)


def png(array, **options):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG", **options)
    return buffer.getvalue()


def saved(image, format="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    """Twelve grey images 0.png to 11.png, and files that are none."""
    for i, image in enumerate(GREY):
        (tmp_path / f"{i}.png").write_bytes(png(image))
    (tmp_path / ".hidden.png").write_text("not an image")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "a.png").write_text("not an image")
    return tmp_path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


# arrays


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (GREY, (1, 6, 6)),
        (GREY[:, None], (1, 6, 6)),
        (GREY[..., None], (1, 6, 6)),
        (COLOUR, (3, 6, 6)),
        (COLOUR.transpose(0, 3, 1, 2), (3, 6, 6)),
        (torch.from_numpy(GREY), (1, 6, 6)),
        (torch.from_numpy(COLOUR), (3, 6, 6)),
        (RNG.integers(0, 9, (2, 5, 6, 7)), (5, 6, 7)),
        (GREY[:, :3, None, :], (3, 1, 6)),
        (GREY > 100, (1, 6, 6)),
        (GREY.tolist(), (1, 6, 6)),
    ],
)
def test_roundtrip_arrays(array, shape):
    images = load_images(array)
    assert images.shape == shape and images.source == "array" and images.names[:2] == ("0", "1")
    values = np.asarray(array)
    back = images.raw(images.pixels)
    same = back if values.ndim == 4 and values.shape[1:] == shape else back[:, 0] if values.ndim == 3 else None
    np.testing.assert_array_equal(back.transpose(0, 2, 3, 1) if same is None else same, values)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 64)), r"shape \(4, 64\) is not a set of images; allowed are \(N, H, W\)"),
        (np.zeros((0, 8, 8)), r"there are no pixels in shape \(0, 8, 8\)"),
        (np.zeros((2, 8, 0)), r"there are no pixels in shape \(2, 8, 0\)"),
        (np.zeros((8, 8, 3)), r"\(8, 8, 3\) looks like a single image; add an axis in front"),
        (np.zeros((5, 8, 8, 4)), "seems to have its 4 channels last; pass them as second axis"),
        (np.array([["a"]]), "must be real numbers, got an array of <U1"),
        (np.array([None]), "must be real numbers, got an array of object"),
        ([[1, 2], [3]], "must be rectangular"),
    ],
)
def test_rejects_arrays(array, message):
    with pytest.raises(GenwindowError, match=message):
        load_images(array)


def test_rejects_options():
    with pytest.raises(GenwindowError, match="size must be a whole number of at least 1 and at most 4096, got 0"):
        load_images(GREY, size=0)
    with pytest.raises(GenwindowError, match="size must be a whole number of at least 1 and at most 4096, got 100000"):
        load_images(GREY, size=100_000)
    with pytest.raises(GenwindowError, match="channels must be one of grey, colour, None; got 'gray'"):
        load_images(GREY, channels="gray")
    with pytest.raises(GenwindowError, match="only 1 or 3 channels can be made grey, got 5"):
        load_images(np.zeros((2, 5, 8, 8)), channels="grey")


# colours and sizes


def test_agrees_with_pillow_grey():
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in COLOUR]
    images = load_images(COLOUR, channels="grey")
    np.testing.assert_array_equal(images.raw(images.pixels)[:, 0], expected)


def test_roundtrip_grey_to_colour_to_grey():
    colour = convert_channels(GREY[:, None], "colour", "")
    assert colour.shape == (12, 3, 6, 6)
    np.testing.assert_array_equal(convert_channels(colour, "grey", ""), GREY[:, None])


def test_closed_form_box_means():
    values = RNG.normal(size=(1, 8, 8))
    means = values.reshape(1, 4, 2, 4, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(crop_and_resize(values, 4), means, atol=1e-6)
    whole = (values * 1000 + 5000).astype(np.uint16)
    raw = crop_and_resize(whole, 4)
    assert raw.dtype == np.uint16
    np.testing.assert_allclose(raw, whole.reshape(1, 4, 2, 4, 2).mean(axis=(2, 4)), rtol=0, atol=0.5)


@pytest.mark.parametrize("shape", [(6, 10), (10, 6), (7, 6)])
def test_closed_form_centre_crop(shape):
    values = np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(1, *shape)
    top, left = (shape[0] - 6) // 2, (shape[1] - 6) // 2
    np.testing.assert_array_equal(crop_and_resize(values, 6), values[:, top : top + 6, left : left + 6])


@pytest.mark.parametrize(("size", "channels"), [(4, None), (3, None), (9, "grey"), (None, "grey")])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_agrees_with_8_and_16_bits_whatever_type_they_were_widened_to(size, channels, kind):
    values = COLOUR.astype(kind) * (1 if kind == "uint8" else 257)
    found, expected = (load_images(v, size=size, channels=channels) for v in (values.astype(np.int64), values))
    assert (found.low, found.high, found.whole, found.guessed) == (0, np.iinfo(kind).max, True, False)
    np.testing.assert_array_equal(found.pixels, expected.pixels)


def test_limit_enlarging_stays_in_range():
    step = np.zeros((1, 4, 4))
    step[:, :, 2:] = 1.0
    large = crop_and_resize(step, 16)
    assert large.shape == (1, 16, 16) and large.min() == 0 and large.max() == 1
    assert load_images(step, size=16, low=0, high=1).shape == (1, 16, 16)


# folders


def test_roundtrip_folder_in_natural_order(folder):
    images = load_images(folder)
    assert images.names == tuple(f"{i}.png" for i in range(12))
    assert images.groups is None and images.source == str(folder)
    np.testing.assert_array_equal(images.raw(images.pixels)[:, 0], GREY)
    assert load_images(str(folder), size=3, channels="colour").shape == (3, 3, 3)


def test_groups_are_subfolders(tmp_path):
    for i, name in enumerate(["s2", "s10", "s1/left"]):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "1.PNG").write_bytes(png(GREY[i]))
    images = load_images(tmp_path)
    assert images.names == ("s1/left/1.PNG", "s2/1.PNG", "s10/1.PNG")
    assert list(images.groups) == ["s1/left", "s2", "s10"]


MODES = {
    "1": Image.fromarray(GREY[0] > 100),
    "P": Image.fromarray(COLOUR[0]).quantize(200),
    "CMYK": Image.fromarray(COLOUR[0]).convert("CMYK"),
    "RGBA": Image.fromarray(np.dstack([COLOUR[0], np.full((6, 6), 255, np.uint8)])),
    "LA": Image.merge("LA", [Image.fromarray(GREY[0]), Image.new("L", (6, 6), 255)]),
}


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_pillow_modes(tmp_path, mode):
    image = MODES[mode]
    assert image.mode == mode
    (tmp_path / "a.tif").write_bytes(saved(image, "TIFF"))
    images = load_images(tmp_path)
    expected = np.asarray(image.convert("L" if mode in ("1", "LA") else "RGB")).reshape(6, 6, -1)
    np.testing.assert_array_equal(images.display(images.pixels)[0], expected)


def test_closed_form_transparency_is_white(tmp_path):
    (tmp_path / "a.png").write_bytes(saved(Image.new("RGBA", (2, 2), (10, 20, 30, 0))))
    (tmp_path / "b.png").write_bytes(saved(Image.new("RGBA", (2, 2), (10, 20, 30, 255))))
    palette = Image.new("P", (2, 2), 0)
    palette.putpalette([10, 20, 30])
    (tmp_path / "c.png").write_bytes(saved(palette, transparency=0))
    images = load_images(tmp_path)
    shown = images.display(images.pixels)[:, 0, 0]
    np.testing.assert_array_equal(shown, [[255] * 3, [10, 20, 30], [255] * 3])


def test_roundtrip_16_bit_png(tmp_path):
    raw = RNG.integers(0, 65536, (5, 7), dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(png(raw))
    images = load_images(tmp_path)
    assert images.high == 65535
    np.testing.assert_array_equal(images.raw(images.pixels)[0, 0], raw)


def test_orientation_tag_is_obeyed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    (tmp_path / "a.png").write_bytes(png(GREY[0][:4], exif=exif))
    images = load_images(tmp_path)
    np.testing.assert_array_equal(images.raw(images.pixels)[0, 0], np.rot90(GREY[0][:4], -1))


def test_rejects_all_broken_images_at_once(folder):
    whole = png(RNG.integers(0, 256, (64, 64), dtype=np.uint8))
    (folder / "broken1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "broken2.png").write_bytes(b"")
    (folder / "broken3.jpg").write_text("hello")
    (folder / "broken4.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    with pytest.raises(GenwindowError) as caught:
        load_images(folder, size=6)
    message = str(caught.value)
    assert message.startswith(f"{folder}: 4 of 16 images cannot be used: broken1.png (")
    assert "broken2.png (is not one of PNG" in message and message.endswith("and 1 more; repair or remove them")
    assert "\n" not in message


def test_rejects_damaged_pixels(folder):
    data = bytearray(png(RNG.integers(0, 256, (64, 64), dtype=np.uint8)))
    data[len(data) // 2] ^= 0xFF
    (folder / "bad.png").write_bytes(data)
    with pytest.raises(GenwindowError, match=r"1 of 13 images cannot be used: bad.png \("):
        load_images(folder, size=6)


def test_rejects_mixed_sizes(folder):
    (folder / "wide.png").write_bytes(png(RNG.integers(0, 256, (6, 9), dtype=np.uint8)))
    message = r"mixes images of different kinds: 6x6 \(first 0.png\), 9x6 \(first wide.png\); choose a size"
    with pytest.raises(GenwindowError, match=message):
        load_images(folder)
    assert len(load_images(folder, size=6)) == 13


def test_rejects_mixed_modes(folder):
    (folder / "red.png").write_bytes(png(COLOUR[0]))
    message = r"grey \(first 0.png\), colour \(first red.png\); choose channels: grey or colour"
    with pytest.raises(GenwindowError, match=message):
        load_images(folder)
    assert load_images(folder, channels="grey").shape == (1, 6, 6)
    assert load_images(folder, channels="colour").shape == (3, 6, 6)


def test_rejects_mixed_depths(folder):
    (folder / "deep.png").write_bytes(png(GREY[0].astype(np.uint16) * 257))
    with pytest.raises(GenwindowError, match=r"16-bit \(first deep.png\); convert them to one bit depth"):
        load_images(folder)


def test_rejects_animation(folder):
    frames = [Image.fromarray(image) for image in GREY[:3]]
    (folder / "moving.gif").write_bytes(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    with pytest.raises(GenwindowError, match=r"moving.gif \(has 3 frames; save the frame you want"):
        load_images(folder)


@pytest.mark.parametrize("limit", [20, 30])  # Pillow raises above twice its limit and warns above it
def test_rejects_decompression_bomb(folder, monkeypatch, limit):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    (folder / "bomb.png").write_bytes(png(np.zeros((7, 7), dtype=np.uint8)))
    with pytest.raises(GenwindowError, match=rf"bomb.png|has more than {limit} pixels; shrink it first"):
        load_images(folder)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.fromarray(np.zeros((2, 2), dtype=np.float32)), "has floating-point pixels; save the set as .npy"),
        (Image.fromarray(np.full((2, 2), 70000, dtype=np.int32)), "has more than 16 bits per pixel"),
    ],
)
def test_rejects_deep_pixels(tmp_path, image, message):
    (tmp_path / "a.tif").write_bytes(saved(image, "TIFF"))
    with pytest.raises(GenwindowError, match=message):
        load_images(tmp_path)


def test_rejects_paths(tmp_path, folder):
    with pytest.raises(GenwindowError, match="nowhere does not exist; give a folder of images"):
        load_images(tmp_path / "nowhere")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(GenwindowError, match=r"empty holds no images \(looked for .png"):
        load_images(empty)
    with pytest.raises(GenwindowError, match="0.png is a single image; give the folder it is in"):
        load_images(folder / "0.png")
    with pytest.raises(GenwindowError, match=r"notes.txt cannot be read \(allowed: a folder"):
        load_images(folder / "notes.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rejects_folder_without_permission(folder):
    (folder / "locked").mkdir(mode=0)
    with pytest.raises(GenwindowError, match="cannot be read: Permission denied"):
        load_images(folder)


# archives


def test_roundtrip_zip_reads_in_place(tmp_path, monkeypatch):
    names = ["a/2.png", "a/10.png", "../../outside.png", "/etc/absolute.png"]
    members = {name: png(image) for name, image in zip(names, GREY, strict=False)}
    path = zipped(tmp_path / "set.ZIP", members | {"__MACOSX/a/._2.png": b"x", "a/.DS_Store": b"x", "readme.md": b"x"})
    before = sorted(tmp_path.parent.rglob("*"))
    images = load_images(path)
    assert sorted(tmp_path.parent.rglob("*")) == before
    assert images.names == ("../../outside.png", "/etc/absolute.png", "a/2.png", "a/10.png")
    assert list(images.groups) == ["../..", "/etc", "a", "a"]
    np.testing.assert_array_equal(images.raw(images.pixels)[:, 0], GREY[[2, 3, 0, 1]])


def test_agrees_with_folder(folder, tmp_path_factory):
    path = zipped(tmp_path_factory.mktemp("zip") / "set.zip", {p.name: p.read_bytes() for p in folder.glob("*.png")})
    assert load_images(path).digest == load_images(folder).digest


def test_rejects_zips(tmp_path):
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(GenwindowError, match="a.zip is not a zip archive, or it is damaged"):
        load_images(tmp_path / "a.zip")
    with pytest.raises(GenwindowError, match="b.zip holds no images"):
        load_images(zipped(tmp_path / "b.zip", {"a.txt": b""}))
    data = zipped(tmp_path / "c.zip", {"a.png": png(GREY[0]), "b.png": png(GREY[1])}).read_bytes()
    spoiled = bytearray(data)
    spoiled[60] ^= 0xFF
    (tmp_path / "c.zip").write_bytes(spoiled)
    with pytest.raises(GenwindowError, match=r"c.zip: 1 of 2 images cannot be used: a.png \("):
        load_images(tmp_path / "c.zip")


def test_rejects_zip_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("genwindow.data.files.LARGEST_MEMBER", 1000)
    with pytest.raises(GenwindowError, match=r"a.png \(unpacks to 5000 bytes; shrink it first\)"):
        load_images(zipped(tmp_path / "a.zip", {"a.png": bytes(5000)}))


# NumPy files


@pytest.mark.parametrize("key", ["images", "x", "arr_0", "only"])
def test_roundtrip_npz(tmp_path, key):
    np.savez(tmp_path / "a.npz", **{key: GREY})
    images = load_images(tmp_path / "a.npz")
    np.testing.assert_array_equal(images.raw(images.pixels)[:, 0], GREY)
    assert images.source.endswith("a.npz") and images.labels is None


def test_roundtrip_npz_with_labels_and_groups(tmp_path):
    np.savez(tmp_path / "a.npz", x=COLOUR, y=np.arange(12)[:, None], groups=np.arange(12) // 4)
    images = load_images(tmp_path / "a.npz", channels="grey", size=4)
    assert images.shape == (1, 4, 4)
    assert list(images.labels) == list(range(12)) and list(images.groups) == ["0"] * 4 + ["1"] * 4 + ["2"] * 4


def test_roundtrip_npy(tmp_path):
    values = RNG.normal(size=(4, 2, 5, 6))
    np.save(tmp_path / "a.npy", values)
    images = load_images(tmp_path / "a.npy", low=-10, high=10)
    np.testing.assert_allclose(images.raw(images.pixels), values, atol=1e-6)


def test_rejects_numpy_files(tmp_path):
    def error(name, message):
        with pytest.raises(GenwindowError, match=message):
            load_images(tmp_path / name)

    np.save(tmp_path / "objects.npy", np.array([{"a": 1}, None]), allow_pickle=True)
    error("objects.npy", "objects.npy holds Python objects; save a plain numeric array")
    np.savez(tmp_path / "objects.npz", images=np.array([{"a": 1}, None]))
    error("objects.npz", "objects.npz holds Python objects")
    np.savez(tmp_path / "keys.npz", train_images=GREY, test_images=GREY)
    error("keys.npz", "holds train_images, test_images; name the array of images images or x or arr_0")
    np.savez(tmp_path / "none.npz")
    error("none.npz", "holds nothing; name the array")
    np.savez(tmp_path / "labels.npz", images=GREY, labels=np.arange(5))
    error("labels.npz", r"labels.npz: labels must have one entry for each of 12 images, got \(5,\)")
    np.save(tmp_path / "nan.npy", np.full((3, 4, 4), np.nan))
    error("nan.npy", "nan.npy: NaN or infinite values in 3 of 3 images")
    np.save(tmp_path / "flat.npy", np.zeros((3, 16)))
    error("flat.npy", r"flat.npy: shape \(3, 16\) is not a set of images")
    np.savez_compressed(tmp_path / "whole.npz", images=GREY)
    for name, source in [("cut.npy", "nan.npy"), ("cut.npz", "whole.npz")]:
        data = (tmp_path / source).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        error(name, f"{name} is damaged or no NumPy file")
    (tmp_path / "text.npy").write_text("hello")
    error("text.npy", "text.npy is damaged or no NumPy file")
    (tmp_path / "empty.npy").write_bytes(b"")
    error("empty.npy", "empty.npy is damaged or no NumPy file")


def write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def tiny(value):
    buffer = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, dtype=np.uint8)).save(buffer, format="PNG")
    return buffer.getvalue()


def test_roundtrip_webdataset_shards_with_labels(tmp_path):
    for shard in range(2):
        members = {}
        for i in range(3):
            members[f"{i}.png"], members[f"{i}.cls"] = tiny(10 * shard + i), str(shard).encode()
        write_tar(tmp_path / f"set-{shard:03d}.tar", members)
    images = load_images(tmp_path / "set-{000..001}.tar")
    assert images.raw(images.pixels)[:, 0, 0, 0].tolist() == [0, 1, 2, 10, 11, 12]
    assert images.labels.tolist() == [0, 0, 0, 1, 1, 1] and images.names[3] == "set-001/0.png"
    one = load_images(tmp_path / "set-000.tar")
    assert len(one) == 3 and one.names[0] == "0.png"


def test_groups_and_classes_of_a_web_dataset_are_in_its_json(tmp_path):
    for shard, person in enumerate("ab"):
        notes = [f'{{"patient": "{person}{i % 2}", "label": {i}}}'.encode() for i in range(3)]
        members = {f"{i}.left.png": tiny(i) for i in range(3)} | {f"{i}.json": note for i, note in enumerate(notes)}
        write_tar(tmp_path / f"s-{shard}.tar", members)
    images = load_images(tmp_path / "s-{0..1}.tar")
    assert images.groups.tolist() == ["a0", "a1", "a0", "b0", "b1", "b0"]
    assert images.labels.tolist() == [0, 1, 2, 0, 1, 2]


def test_folders_in_a_tar_are_groups(tmp_path):
    write_tar(tmp_path / "a.tar", {"s1/0.png": tiny(0), "s2/0.png": tiny(1)})
    assert load_images(tmp_path / "a.tar").groups.tolist() == ["s1", "s2"]


def test_rejects_tar_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr("genwindow.data.files.LARGEST_MEMBER", 1000)
    write_tar(tmp_path / "a.tar", {"0.png": bytes(5000)})
    with pytest.raises(GenwindowError, match=r"a.tar: 0.png unpacks to 5000 bytes; shrink it first"):
        load_images(tmp_path / "a.tar")


def test_names_in_a_tar_are_never_paths(tmp_path):
    write_tar(tmp_path / "a.tar", {"../../escape.png": tiny(1), "/tmp/abs.png": tiny(2), "note.txt": b"x"})
    images = load_images(tmp_path / "a.tar")
    assert len(images) == 2 and not (tmp_path.parent.parent / "escape.png").exists()


@pytest.mark.parametrize(
    ("name", "members", "message"),
    [
        ("a.tar", {"0.png": b"no picture"}, "1 of 1 images cannot be used"),
        ("a.tar", {"0.txt": b"x"}, "holds no images"),
        ("a.tar", {"0.png": tiny(0), "0.cls": b"cat"}, "not a class number"),
        ("a.tar", {"0.png": tiny(0), "0.cls": "²".encode()}, "a.tar: 0.cls holds '²', not a class number"),
        ("a.tar", {"0.png": tiny(0), "0.cls": b"9" * 5000}, "9', not a class number"),
        ("a.tar", {"0.png": tiny(0), "0.json": b"{"}, "a.tar: 0.json is no JSON"),
        ("a.tar", {"0.png": tiny(0), "1.png": tiny(1), "0.json": b'{"patient": 3}'}, "images without a group: 1.png"),
        ("a.tar", {"0.png": tiny(0), "1.png": tiny(1), "0.cls": b"3"}, "images without a class: 1.png"),
        ("a.tar", {"0.png": tiny(0), "0.mask.png": tiny(1), "0.cls": b"3"}, "several images of one key"),
    ],
)
def test_rejects_tars(tmp_path, name, members, message):
    write_tar(tmp_path / name, members)
    with pytest.raises(GenwindowError, match=message):
        load_images(tmp_path / name)


def test_rejects_shards(tmp_path):
    write_tar(tmp_path / "s-0.tar", {"0.png": tiny(0)})
    with pytest.raises(GenwindowError, match=r"shards are missing: s-1\.tar"):
        load_images(tmp_path / "s-{0..1}.tar")
    with pytest.raises(GenwindowError, match="empty or endless range"):
        load_images(tmp_path / "s-{1..0}.tar")
    with pytest.raises(GenwindowError, match="shards are named like"):
        load_images(tmp_path / "s-{a,b}.tar")
    (tmp_path / "bad.tar").write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(GenwindowError, match="not a tar archive"):
        load_images(tmp_path / "bad.tar")


def test_roundtrip_hugging_face_data_set(tmp_path):
    datasets = pytest.importorskip("datasets")
    pictures = [Image.fromarray(np.full((4, 4), i, dtype=np.uint8)) for i in range(3)]
    table = {"image": pictures, "label": [2, 0, 1], "patient": ["a", "a", "b"]}
    datasets.Dataset.from_dict(table).save_to_disk(str(tmp_path / "set"))
    images = load_images(tmp_path / "set")
    assert images.raw(images.pixels)[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert images.labels.tolist() == [2, 0, 1] and images.groups.tolist() == ["a", "a", "b"]


def test_rejects_a_damaged_hugging_face_data_set(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "dataset_info.json").write_text("{}")
    with pytest.raises(GenwindowError, match=r"pip install 'genwindow\[datasets\]'|cannot be read"):
        load_images(tmp_path / "set")
