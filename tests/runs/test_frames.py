import numpy as np
import pytest

from genwindow import GenwindowError
from genwindow.runs.frames import GALLERY, read_gallery, read_ratios, write_frame


def frame(count=3, side=2, **other):
    images = np.zeros((count, side, side, 1), np.uint8)
    return {"generated": images, "nearest": images, "ratio": np.ones(count), "nearest_index": np.arange(count), **other}


def test_roundtrip(tmp_path):
    for step in (100, 20):
        write_frame(tmp_path, step, **frame(20, ratio=np.linspace(0, 1, 20)))
    steps, ratios = read_ratios(tmp_path)
    assert steps.tolist() == [20, 100] and all(np.array_equal(ratio, np.linspace(0, 1, 20)) for ratio in ratios)
    gallery = read_gallery(tmp_path)
    assert gallery.step.tolist() == [20, 100] and gallery.generated.shape == (2, GALLERY, 2, 2, 1)


def test_edge_nothing_was_measured_yet(tmp_path):
    assert read_gallery(tmp_path / "none") is None and len(read_ratios(tmp_path / "none")[0]) == 0


def test_edge_more_samples_later(tmp_path):
    write_frame(tmp_path, 1, **frame(3))
    write_frame(tmp_path, 2, **frame(5))
    assert read_gallery(tmp_path).ratio.shape == (2, 3)


@pytest.mark.parametrize("other", [{"ratio": 1.0}, {"generated": np.ones(3)}, {"step": "x"}, {"nearest_index": ["x"]}])
def test_rejects_samples_of_another_form_by_name(tmp_path, other):
    write_frame(tmp_path, 1, **frame())
    read_gallery(tmp_path)
    np.savez(tmp_path / "step_000000002.npz", **{"step": 2, **frame(), **other})
    with pytest.raises(GenwindowError, match="step_000000002.npz is damaged .*; delete it"):
        read_gallery(tmp_path)


def test_rejects_samples_of_several_sizes(tmp_path):
    write_frame(tmp_path / "samples", 1, **frame())
    write_frame(tmp_path / "samples", 2, **frame(side=4))
    with pytest.raises(GenwindowError, match="samples is damaged"):
        read_gallery(tmp_path / "samples")


@pytest.mark.parametrize("read", [read_gallery, read_ratios])
def test_rejects_damaged_samples_by_name_without_running_code(tmp_path, read):
    np.savez(tmp_path / "step_000000001.npz", step=np.array([{}], dtype=object))
    with pytest.raises(GenwindowError, match="step_000000001.npz is damaged"):
        read(tmp_path)
