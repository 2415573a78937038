import pytest
import torch

from genwindow import GenwindowError
from genwindow.metrics import stable_rank


def test_closed_form():
    assert stable_rank(torch.eye(5)) == pytest.approx(5)
    assert stable_rank(torch.ones(3, 7)) == pytest.approx(1)
    assert stable_rank(torch.diag(torch.tensor([2.0, 1.0]))) == pytest.approx(1.25)
    assert stable_rank(torch.zeros(2, 2)) == 0


def test_a_convolution_is_its_matrix():
    weight = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    assert stable_rank(weight) == pytest.approx(stable_rank(weight.reshape(4, 12)))


def test_rejects():
    with pytest.raises(GenwindowError, match=r"two axes at least, got shape \(3,\)"):
        stable_rank(torch.ones(3))
    with pytest.raises(GenwindowError, match="finite"):
        stable_rank(torch.full((2, 2), torch.nan))
