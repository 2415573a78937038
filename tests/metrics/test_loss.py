import numpy as np
import pytest
import torch

from genwindow.errors import GenwindowError
from genwindow.metrics import denoising_loss


def noise_only(x, t, generator):
    """A loss that is the mean square of its noise times t: mean t, variance 2 t^2 / d."""
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return t * noise.square().flatten(1).mean(1)


def images(count=300, dim=16, seed=0):
    return torch.randn(count, 1, 4, dim // 4, generator=torch.Generator().manual_seed(seed))


def test_closed_form_mean_and_interval():
    found = denoising_loss(noise_only, images(2000), [0.5, 2.0], draws=3)
    error = np.sqrt(2 / 16 / 3 / 2000)
    np.testing.assert_allclose(found.value, found.t, rtol=5 * error)
    np.testing.assert_allclose((found.high - found.low) / 2, 1.9612 * found.t * error, rtol=0.1)
    np.testing.assert_allclose(found.value, found.per_image.mean(axis=1), rtol=1e-14)
    assert found.per_image.shape == (2, 2000) and found.t.tolist() == [0.5, 2.0]


def test_closed_form_each_time_is_its_own_number():
    found = denoising_loss(lambda x, t, g: t + x.flatten(1)[:, 0], torch.tensor([[1.0], [3.0]]), [0.0, 10.0], draws=1)
    assert found.value.tolist() == [2, 12]
    assert found.per_image.tolist() == [[1, 3], [11, 13]]
    np.testing.assert_allclose(found.high - found.value, 12.7062047, rtol=1e-7)  # t quantile of 1 degree, se = 1


def test_roundtrip_same_noise_at_every_call():
    one = denoising_loss(noise_only, images(), [0.1, 0.9])
    torch.randn(5)
    again = denoising_loss(noise_only, images(), [0.1, 0.9])
    np.testing.assert_array_equal(one.per_image, again.per_image)
    longer = denoising_loss(noise_only, images(), [0.1, 0.9, 2.0])
    np.testing.assert_array_equal(one.per_image, longer.per_image[:2])
    other = denoising_loss(noise_only, images(), [0.1, 0.9], seed=1)
    assert (one.per_image != other.per_image).all()
    assert not np.isclose(one.per_image[0] / 0.1, one.per_image[1] / 0.9, rtol=1e-5).all()  # each time its own draws


def test_roundtrip_same_noise_on_other_images():
    """Training and held-out images see the same noise, so their difference is not one of draws."""
    a = denoising_loss(noise_only, images(seed=0), [1.0])
    b = denoising_loss(noise_only, images(seed=1), [1.0])
    np.testing.assert_array_equal(a.per_image, b.per_image)


def test_roundtrip_batches_cover_all_images_once():
    def first_number(x, t, generator):
        return x.flatten(1)[:, 0]

    wanted = images(50).flatten(1)[:, 0].double().numpy()
    for batch in (1, 7, 50, 1000):
        found = denoising_loss(first_number, images(50), [1.0], draws=2, batch=batch)
        np.testing.assert_array_equal(found.per_image[0], wanted)


def test_roundtrip_global_random_state_and_gradients_are_left_alone():
    weight = torch.ones(1, requires_grad=True)
    before = torch.random.get_rng_state()
    found = denoising_loss(lambda x, t, g: (x.flatten(1) * weight).square().mean(1), images(), [1.0])
    assert torch.equal(before, torch.random.get_rng_state()) and weight.grad is None
    assert isinstance(found.per_image, np.ndarray)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("dtype", "wanted"),
    [(torch.float32, torch.float32), (torch.float64, torch.float64), (torch.float16, torch.float32)],
)
def test_closed_form_types_of_what_the_loss_gets(dtype, wanted):
    seen = []

    def loss(x, t, generator):
        seen.append((x.dtype, t.dtype, tuple(x.shape), tuple(t.shape), generator.device.type))
        return t

    denoising_loss(loss, images(10).to(dtype), [3.0], draws=1, batch=8)
    assert seen == [(dtype, wanted, (8, 1, 4, 4), (8,), "cpu"), (dtype, wanted, (2, 1, 4, 4), (2,), "cpu")]


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda x, t, g: x.mean(), r"loss must return one number per image, shape \(8,\), got shape \(\)"),
        (lambda x, t, g: t[:, None], r"shape \(8,\), got shape \(8, 1\)"),
        (lambda x, t, g: 1.0, r"loss must return a tensor of shape \(8,\), got float"),
        (
            lambda x, t, g: torch.where(torch.arange(len(x)) == 3, torch.nan, t),
            "loss returned nan at t = 0.5 for image 3",
        ),
        (lambda x, t, g: t / 0, "loss returned inf at t = 0.5 for image 0"),
        (
            lambda x, t, g: t * (torch.nan if len(x) == 2 else 1.0),
            "loss returned nan at t = 0.5 for image 8",
        ),
    ],
)
def test_rejects_what_is_no_loss(loss, message):
    with pytest.raises(GenwindowError, match=message):
        denoising_loss(loss, images(10), [0.5], batch=8)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": []}, r"times must be finite numbers, got \[\]"),
        ({"times": [0.1, np.nan]}, "times must be finite numbers"),
        ({"images": torch.ones(1, 4)}, "images must hold at least two images for an interval, got 1"),
        ({"images": torch.full((3, 4), torch.nan)}, "images holds NaN or infinite values, first in row 0"),
        ({"draws": 0}, "draws must be a whole number of at least 1, got 0"),
        ({"batch": 0}, "batch must be a whole number of at least 1, got 0"),
        ({"seed": 0.5}, "seed must be a whole number, got 0.5"),
    ],
)
def test_rejects_arguments(changed, message):
    with pytest.raises(GenwindowError, match=message):
        denoising_loss(noise_only, **{"images": images(), "times": [0.5], **changed})
