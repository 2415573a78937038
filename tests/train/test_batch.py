import pytest
import torch

from genwindow.diffusion import NO_LABEL, named_schedule
from genwindow.diffusion.draws import keyed_generator
from genwindow.train import batch_size, draw_batch

IMAGES = torch.arange(40.0).reshape(20, 2)
LABELS = torch.arange(20) % 3


def drawn(step=3, size=8, seed=1, **more):
    return draw_batch(IMAGES, named_schedule("linear"), size=size, seed=seed, step=step, **more)


def test_a_batch_depends_on_seed_and_step_only():
    one, again, other = drawn(labels=LABELS), drawn(labels=LABELS), drawn(step=4, labels=LABELS)
    for name in ("images", "t", "noise", "labels"):
        assert torch.equal(getattr(one, name), getattr(again, name))
        assert not torch.equal(getattr(one, name), getattr(other, name))


def test_labels_stay_with_their_images():
    batch = drawn(labels=LABELS)
    rows = (batch.images[:, 0] / 2).long()
    assert torch.equal(batch.labels, LABELS[rows])


def test_hiding_labels_changes_nothing_else():
    told, hidden, plain = drawn(labels=LABELS), drawn(labels=LABELS, label_dropout=0.5), drawn()
    for name in ("images", "t", "noise"):
        assert torch.equal(getattr(told, name), getattr(hidden, name))
        assert torch.equal(getattr(told, name), getattr(plain, name))
    gone = hidden.labels == NO_LABEL
    assert 0 < gone.sum() < 8 and torch.equal(hidden.labels[~gone], told.labels[~gone])
    assert (drawn(labels=LABELS, label_dropout=1.0).labels == NO_LABEL).all()


def test_a_full_batch_keeps_the_order_and_one_time_is_for_all():
    batch = drawn(size=20, fixed_t=7.0, labels=LABELS)
    assert torch.equal(batch.images, IMAGES) and torch.equal(batch.labels, LABELS)
    assert (batch.t == 7.0).all()


def test_closed_form_noise_comes_after_the_times_of_one_stream():
    generator = keyed_generator("step", 1, 3)
    t = named_schedule("linear").training_times(8, generator)
    batch = drawn()
    assert torch.equal(batch.t, t) and torch.equal(batch.noise, torch.randn(8, 2, generator=generator))


@pytest.mark.parametrize(("asked", "size"), [(0, 20), (1, 1), (20, 20), (21, 20)])
def test_a_batch_is_never_larger_than_the_set_and_zero_is_the_set(asked, size):
    assert batch_size(asked, 20) == size
