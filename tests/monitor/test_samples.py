"""What a monitor says of samplers that never learn, and of samples on another scale."""

import pytest
import torch

from genwindow.data import named_set
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor

DIGITS = torch.tensor(named_set("digits").pixels)[torch.randperm(1797, generator=keyed_generator("order"))]
TRAIN, HELDOUT, FRESH = DIGITS[:200], DIGITS[200:600], DIGITS[600:]
UNIT, BYTES = (lambda x: (x + 1) / 2), (lambda x: (x + 1) * 127.5)  # noqa: E731
MEAN = HELDOUT.mean(0, keepdim=True)


def pick(images):
    return lambda count, generator: images[torch.randint(len(images), (count,), generator=generator)]


def verdicts(sample, scale=lambda x: x, heldout=HELDOUT):
    watched = Monitor(scale(TRAIN), scale(heldout), sample=sample, samples=128, first=100, per_octave=1)
    return [watched.measure(step).verdict for step in (100, 200, 400, 800)]


@pytest.mark.parametrize("samples", [FRESH, FRESH + 0.3 * (FRESH > 0.9)])
@pytest.mark.parametrize("scale", [lambda x: x, UNIT, BYTES, lambda x: 3 * x])
def test_good_samples_are_called_good_on_any_scale(samples, scale):
    found = verdicts(pick(scale(samples)), scale)
    assert found[-1].state == "in_window" and "good, no copy among 128." in found[-1].text
    assert found[0].text.endswith("no copy among 128.")


def test_limit_of_few_held_out_images_that_tell_nothing_of_quality():
    """Against four, real images come out worse than a single one, repeated: that cannot be asked of samples."""
    assert verdicts(pick(FRESH), heldout=HELDOUT[:4])[-1].state == "in_window"


@pytest.mark.parametrize(
    ("sample", "scale", "said"),
    [
        (pick(UNIT(TRAIN)), lambda x: x, "lie in [0, 1], training images run from -1 to 1: does the sampler return"),
        (pick(UNIT(TRAIN)), BYTES, "lie in [0, 1], training images run from 0 to 255: does"),
        (pick(TRAIN), BYTES, "lie in [-1, 1], training images run from 0 to 255: does"),
        (pick(BYTES(TRAIN)), lambda x: x, "Training images lie in [-1, 1], samples run from 0 to 255: does"),
        (pick(BYTES(TRAIN)), UNIT, "Training images lie in [0, 1], samples run from 0 to 255: does"),
        (pick(TRAIN), UNIT, "not better than a single image, repeated"),
        (lambda n, g: torch.zeros(n, 1, 8, 8), lambda x: x, "All 128 samples are the same image."),
        (lambda n, g: MEAN.expand(n, 1, 8, 8), lambda x: x, "All 128 samples are the same image."),
        (
            lambda n, g: MEAN + 0.01 * torch.randn((n, 1, 8, 8), generator=g), lambda x: x,
            "not better than a single image, repeated",
        ),
    ],
)  # fmt: skip
def test_a_sampler_that_never_returns_new_images_is_never_called_good(sample, scale, said):
    found = verdicts(sample, scale)
    assert {verdict.state for verdict in found} == {"before_window"} and not any(v.should_stop for v in found)
    assert said in found[-1].text and "samples are good" not in found[-1].text


def test_a_training_image_repeated_is_a_copy_and_said_to_be_one_image():
    found = verdicts(lambda n, g: TRAIN[:1].expand(n, 1, 8, 8))[0]
    assert found.state == "memorizing" and found.should_stop and "100.00%" in found.text
    assert "All 128 samples are the same image." in found.text
