"""What existing tools and scripts get wrong, numbered as in the list that this package was written against.

1 a missing sample counts as an original; 2 an interval collapses to [0, 0]; 3 one difference tensor; 4 resuming, fixed
GPUs, colliding names; 5 a duplicate hides a copy; 6 the theory, training and sampling scripts; 7 distances from
expanded squares; 8 a Frechet distance against the training set.
"""

import importlib
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.integrate import quad

from genwindow import GenwindowError
from genwindow.audit import audit
from genwindow.data import GaussianMixture, Images, named_set
from genwindow.diffusion import ExactDenoiser, named_schedule, sample
from genwindow.diffusion.draws import keyed_generator
from genwindow.metrics import frechet_distance, nearest_neighbours
from genwindow.nets import RandomFeaturesNet
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, RunFolder, TrainSettings, execute
from genwindow.sweep.folder import run_id
from genwindow.theory import GaussianEquivalent, RandomFeatures, moments
from genwindow.train import resolve_device

DIGITS = named_set("digits")
ORDER = np.random.default_rng(0).permutation(len(DIGITS))
TRAIN, HELDOUT, CLEAN = (DIGITS.select(ORDER[a:b]) for a, b in ((0, 500), (500, 900), (900, 1300)))


def images(pixels):
    return Images.from_raw(DIGITS.raw(pixels), low=0, high=16)


def with_copies(count):
    pixels = CLEAN.pixels.copy()
    pixels[:count] = TRAIN.pixels[:count]
    return images(pixels)


def small(steps, **train):
    return RunConfig(
        data=DataSettings(source="digits", n=16, heldout=40, reference=40),
        net=NetSettings("mlp", 16, 1),
        train=TrainSettings(steps=steps, batch=8, ema=0.9, **train),
        measure=MeasureSettings(first=10, per_octave=1, samples=16, sampler_steps=3, loss_images=8, loss_draws=1),
    )


def final(folder):
    return load_file(folder / "snapshots" / "final.safetensors")


def test_fault_1_a_missing_sample_is_an_error_and_not_an_original():
    pixels = DIGITS.raw(CLEAN.pixels)
    pixels[7] = np.nan
    with pytest.raises(GenwindowError, match="NaN or infinite values in 1 of 400 images, the first is image 7"):
        audit(TRAIN, pixels, HELDOUT)


def test_fault_2_no_copy_seen_is_not_an_interval_of_zero_width():
    found = audit(TRAIN, CLEAN, HELDOUT)
    assert found.strict.low == 0 and found.strict.high == pytest.approx(1 - 0.025 ** (1 / 400))


def test_fault_3_the_search_stays_within_its_memory():
    rng = np.random.default_rng(0)
    found = nearest_neighbours(rng.random((300, 4096)), rng.random((3000, 4096)), 2, memory=2**22)
    assert found.distances.shape == (300, 2)  # the difference tensor would take 29 GB


def test_fault_4_resuming_restores_everything_and_ends_with_the_same_weights(tmp_path):
    """Optimizer, moving average and the order of data: weights alone would end elsewhere."""

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.step >= 20:
            raise Stop

    execute(small(60), tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stop):
        patch.setattr(importlib.import_module("genwindow.runs.session"), "STATUS_SECONDS", 0.0)
        execute(small(60), tmp_path / "broken", on_progress=stop, checkpoint_seconds=0.0)
    assert RunFolder(tmp_path / "broken").load().status != "done"
    execute(small(60), tmp_path / "broken")
    whole, broken = final(tmp_path / "whole"), final(tmp_path / "broken")
    assert whole.keys() == broken.keys() and all(torch.equal(whole[k], broken[k]) for k in whole)
    assert RunFolder(tmp_path / "whole").read_curves() == RunFolder(tmp_path / "broken").read_curves()


def test_fault_4_no_graphics_card_is_hard_coded(monkeypatch):
    assert resolve_device(RunConfig().device).type == "cpu"
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert str(resolve_device("cuda:0")) == "cuda:0"
    with pytest.raises(GenwindowError, match="cuda:1.* is not on this machine"):
        resolve_device("cuda:1")


def test_fault_4_names_of_runs_do_not_collide():
    rates = [1e-3, 1e-4, 1.04e-4, 1e-5, 1e-6, 1.0000001e-6]
    assert len({run_id(small(60, lr=rate)) for rate in rates}) == len(rates)


def test_fault_5_a_duplicate_of_the_copied_image_does_not_hide_the_copy():
    doubled = images(np.concatenate([TRAIN.pixels, TRAIN.pixels[:10], TRAIN.pixels[:10]]))
    found = audit(doubled, with_copies(10), HELDOUT)
    assert found.strict.value == 10 / 400 and found.spaces[0].f_mem.value == 10 / 400 and found.duplicates == 20


def test_fault_5_a_near_duplicate_does_not_hide_the_copy_either():
    near = np.clip(TRAIN.pixels[:10] + np.float32(0.01), -1, 1)
    doubled = images(np.concatenate([TRAIN.pixels, near]))
    found = audit(doubled, with_copies(10), HELDOUT)
    assert found.spaces[0].f_mem.value == 10 / 400 and found.duplicates == 10


def test_fault_6_moments_are_quadrature_and_not_sampling():
    assert moments("tanh", 0.01).s2 == pytest.approx(0.0018735496, abs=1e-10)  # 5e5 samples gave 0.00261


def test_fault_6_the_trace_of_the_covariance_is_a_variance():
    """Gamma^2 = e^-2t variance + Delta, with the variance to the first power, against independent quadrature."""
    t, variance = 0.3, 4.0
    gamma = math.sqrt(math.exp(-2 * t) * variance + 1 - math.exp(-2 * t))
    slope = quad(lambda u: u * math.tanh(gamma * u) * math.exp(-u * u / 2) / math.sqrt(2 * math.pi), -12, 12)[0]
    assert moments("tanh", t, variance).a == pytest.approx(slope / gamma, rel=1e-8)


def test_fault_6_the_sampled_matrix_agrees_with_its_own_curve():
    """Counts in every bulk are exact, and the largest eigenvalues sit where the curve ends: b^2 WW^T is over d once."""
    model = RandomFeatures(16, 4, 0.05)
    found = GaussianEquivalent.draw(model, 60, np.random.default_rng(0)).eigenvalues()
    support = model.support()
    counts = [int(((found > 0.9 * low) & (found < 1.1 * high)).sum()) for low, high in support]
    assert counts == [60, 180, 60] and found.max() == pytest.approx(support[-1][1], rel=0.1)


def test_fault_6_the_density_integrates_to_one_with_its_atom():
    for psi_p, psi_n in ((64, 8), (3, 2), (2, 2)):
        model = RandomFeatures(psi_p, psi_n, 0.01)
        assert model.atom.mass + sum(model.bulk_masses()) == pytest.approx(1, abs=1e-6)
    assert RandomFeatures(64, 8, 0.01).atom.mass == pytest.approx(55 / 64)


def test_fault_6_the_network_divides_by_the_root_of_its_width_and_adam_has_a_rate_of_its_own():
    torch.manual_seed(0)
    features, x = torch.randn(6, 4), torch.randn(3, 4)
    network = RandomFeaturesNet(features)
    network.weights.data.fill_(1.0)
    wanted = torch.tanh(x @ features.T / 2).sum(1, keepdim=True).expand(3, 4) / math.sqrt(6)
    torch.testing.assert_close(network(x, torch.zeros(3)), wanted)
    assert TrainSettings().optimizer == "adam" and TrainSettings().lr <= 1e-2


@pytest.mark.parametrize("sampler", ["ddim", "ddpm"])
def test_fault_6_samplers_make_the_last_step_and_ask_for_trained_times_only(sampler):
    """The exact memorizing model ends on training points: no noise of 0.01 is left."""
    points = torch.randn(8, 6, generator=keyed_generator("points"), dtype=torch.float64)
    schedule = named_schedule("linear")
    denoiser, asked = ExactDenoiser(GaussianMixture.from_points(points), schedule), set()

    class Watched:
        def __init__(self):
            self.schedule = schedule

        def __call__(self, x, t, label=None):
            asked.update(t.tolist())
            return denoiser(x, t, label)

    found = sample(Watched(), (10, 6), keyed_generator(0), sampler=sampler, steps=50, dtype=torch.float64)
    assert torch.cdist(found, points).min(1).values.max() < 1e-6
    assert asked <= set(map(float, range(1, int(schedule.t_max) + 1)))  # whole steps, the last one included, never 0


def test_fault_6_the_last_model_is_saved_and_images_have_the_size_of_the_data(tmp_path):
    seen = []
    execute(small(37), tmp_path / "run", on_progress=lambda progress: seen.append(progress.step))
    assert seen[-1] == 37 and final(tmp_path / "run")
    gallery = RunFolder(tmp_path / "run").read_gallery()
    assert gallery.step[-1] == 37 and gallery.generated.shape[2:4] == (8, 8)


def test_fault_6_the_score_of_a_mixture_is_that_of_its_density_and_does_not_underflow():
    x = torch.randn(20, 8, generator=keyed_generator("x"), dtype=torch.float64, requires_grad=True)
    mixture = GaussianMixture.two_clusters(8)
    (score,) = torch.autograd.grad(mixture.log_density(x, 0.7, 0.6).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach(), 0.7, 0.6), score)
    high = torch.randn(5, 1024, generator=keyed_generator("high"), dtype=torch.float64)
    assert torch.isfinite(GaussianMixture.two_clusters(1024).score(high, 1.0, 1e-3)).all()


def test_fault_7_distances_next_to_a_copy_keep_their_digits():
    close = TRAIN.pixels[:20].astype(np.float64) + 1e-5
    found = nearest_neighbours(close.astype(np.float32), TRAIN.pixels, 1).distances[:, 0]
    exact = np.sqrt(((close.astype(np.float32).astype(np.float64) - TRAIN.pixels[:20]) ** 2).sum(axis=(1, 2, 3)))
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_fault_8_copies_score_worse_against_heldout_than_real_images_do():
    """Against the training set copies would score 0, the best there is."""
    copies, fresh = TRAIN.pixels[:200], CLEAN.pixels[:200]
    to_train = frechet_distance(copies, TRAIN.pixels[:200]).value
    assert to_train == pytest.approx(0, abs=1e-6)
    assert (
        frechet_distance(copies, HELDOUT.pixels[:200]).value > 0.5 * frechet_distance(fresh, HELDOUT.pixels[:200]).value
    )
