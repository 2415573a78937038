import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.metrics import CopyRate, memorized_fraction


def test_batches_give_what_all_images_at_once_give():
    rng = np.random.default_rng(0)
    train, heldout, generated = (rng.random((k, 1, 4, 4)) for k in (30, 20, 25))
    generated[:5] = train[:5]
    rate = CopyRate(train, heldout=heldout)
    for part in np.split(generated, (0, 7, 8)):
        rate.update(part)
    whole = memorized_fraction(generated, train, heldout=heldout)
    assert rate.compute().fraction == whole.fraction and rate.compute().floor == whole.floor
    assert (rate.compute().ratio == whole.ratio).all()
    rate.reset()
    with pytest.raises(GenwindowError, match="call update first"):
        rate.compute()


def test_agrees_with_all_at_once_in_bfloat16():
    train, generated = torch.eye(6), torch.cat([torch.eye(6)[:2], torch.full((2, 6), 0.3)]).bfloat16()
    rate = CopyRate(train)
    rate.update(generated[:1])
    rate.update(generated[1:])
    assert (
        rate.compute().fraction == memorized_fraction(generated, train).fraction
        and rate.compute().fraction.value == 0.5
    )


def test_rejects_bad_batches():
    rate = CopyRate(np.eye(4))
    with pytest.raises(GenwindowError, match="NaN or infinite"):
        rate.update(np.full((2, 4), np.nan))
    rate.update(np.eye(4))
    rate.update(np.eye(5))
    with pytest.raises(GenwindowError, match="different sizes"):
        rate.compute()
