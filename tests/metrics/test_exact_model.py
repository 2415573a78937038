"""The metrics on models whose answer is known: the exact memorizing model, and the exact score of the data's law."""

import pytest
import torch

from genwindow.data import GaussianMixture
from genwindow.diffusion import ExactDenoiser, named_schedule, sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.metrics import FrechetReference, memorized_fraction

SAMPLERS = [("ddim", 100), ("heun", 60)]


def mixture(d=16):
    return GaussianMixture.two_clusters(d, mean=1.0, std=0.5)


@pytest.mark.parametrize("name", ["linear", "ou", "flow"])
@pytest.mark.parametrize(("sampler", "steps"), SAMPLERS)
def test_limit_the_empirical_score_gives_training_points_only(name, sampler, steps):
    points, _ = mixture().sample(50, keyed_generator("train"))
    heldout, _ = mixture().sample(400, keyed_generator("heldout"))
    denoiser = ExactDenoiser(GaussianMixture.from_points(points), named_schedule(name))
    got = sample(denoiser, (200, 16), keyed_generator(1), sampler=sampler, steps=steps, dtype=torch.float64)
    found = memorized_fraction(got, points, heldout=heldout)
    assert found.fraction.value == 1.0
    assert found.floor.value < 0.01
    assert found.distance[:, 0].max() < 1e-5
    assert len(set(found.nearest.tolist())) > 40  # not one point again and again


@pytest.mark.parametrize("name", ["linear", "ou", "flow"])
@pytest.mark.parametrize(("sampler", "steps"), SAMPLERS)
def test_limit_the_exact_score_reaches_the_real_real_floor(name, sampler, steps):
    count = 2000
    reference = FrechetReference(mixture().sample(4000, keyed_generator("heldout"))[0])
    floor = reference.floor(mixture().sample(count, keyed_generator("reference"))[0])
    denoiser = ExactDenoiser(mixture(), named_schedule(name))
    got = sample(denoiser, (count, 16), keyed_generator(2), sampler=sampler, steps=steps, dtype=torch.float64)
    distance = reference.distance(got)
    assert distance.low <= floor.high and distance.value < 3 * floor.value
    noise = torch.randn(count, 16, generator=keyed_generator(3), dtype=torch.float64)
    assert reference.distance(noise).low > 5 * floor.high
