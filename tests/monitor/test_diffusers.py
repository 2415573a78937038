"""A monitor in an unconditional training loop of diffusers, and the callables made for it."""

import pytest
import torch
from tests.monitor.hosts import run_example, same_weights, unchanged

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.monitor import Monitor

diffusers = pytest.importorskip("diffusers")
from genwindow.monitor.diffusers import averaged_by, loss_of, sampler_of  # noqa: E402

SHAPE = (1, 8, 8)
TRAIN = torch.rand(16, *SHAPE, generator=keyed_generator("train")) * 2 - 1
HELDOUT = torch.rand(12, *SHAPE, generator=keyed_generator("heldout")) * 2 - 1
KINDS = ["epsilon", "sample", "v_prediction"]


def unet(channels=1):
    torch.manual_seed(0)
    return diffusers.UNet2DModel(
        sample_size=8, in_channels=1, out_channels=channels, layers_per_block=1, block_out_channels=(8, 8),
        norm_num_groups=4, down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
        attention_head_dim=None, dropout=0.2,
    )  # fmt: skip


def train(watched, device="cpu"):
    """The loop of diffusers' unconditional example, with moving averages; six lines are the monitor's."""
    model = unet().to(device)
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=100)
    ema = diffusers.EMAModel(model.parameters(), decay=0.9)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    if watched:
        monitor = Monitor(
            TRAIN, HELDOUT, loss=loss_of(model, scheduler), sample=sampler_of(model, scheduler, SHAPE, steps=3),
            times=(10, 50), modules=[model], averaged=averaged_by(ema, model), first=2, per_octave=2, samples=8,
            loss_draws=1,
        )  # fmt: skip
    for step in range(1, 9):
        clean = TRAIN[torch.randint(len(TRAIN), (4,))].to(device)
        noise, t = torch.randn_like(clean), torch.randint(100, (4,), device=device)
        predicted = model(scheduler.add_noise(clean, noise, t), t).sample
        torch.nn.functional.mse_loss(predicted, noise).backward()
        optimizer.step()
        optimizer.zero_grad()
        ema.step(model.parameters())
        if watched:
            before = scheduler.timesteps, scheduler.num_inference_steps, ema.temp_stored_params
            with unchanged(model):
                monitor.update(step)
            assert (scheduler.timesteps, scheduler.num_inference_steps, ema.temp_stored_params) == before
    return model, ema, scheduler, monitor if watched else None


def test_weights_with_and_without_a_monitor_are_equal_bit_for_bit():
    (model, ema, scheduler, monitor), (plain, ema_plain, _, _) = train(True), train(False)
    assert same_weights(model, plain)
    assert all(torch.equal(a, b) for a, b in zip(ema.shadow_params, ema_plain.shadow_params, strict=True))
    assert [int(s) for s in monitor.curves()[0].step] == [2, 3, 4, 6, 8]
    ema.copy_to(plain.parameters())  # the averages are what was measured
    again = Monitor(TRAIN, HELDOUT, loss=loss_of(plain, scheduler), times=(10, 50), modules=[plain], loss_draws=1)
    found = {(p.name, p.t): p.value for p in again.measure(8).points}
    assert all(c.value[-1] == found[c.name, c.t] for c in monitor.curves() if "loss" in c.name)


@pytest.mark.gpu
def test_goes_along_on_a_graphics_card():
    """Bit for bit, where the convolutions of the host are the same from one run to the next."""
    with torch.backends.cudnn.flags(deterministic=True):
        (model, ema, _, monitor), (plain, ema_plain, _, _) = train(True, "cuda"), train(False, "cuda")
    assert same_weights(model, plain)
    assert all(torch.equal(a, b) for a, b in zip(ema.shadow_params, ema_plain.shadow_params, strict=True))
    assert {c.name for c in monitor.curves()} >= {"f_mem", "train_loss", "heldout_loss"}


class Oracle(torch.nn.Module):
    """Knows the one image there is, and tells it in the units asked for."""

    def __init__(self, scheduler, image):
        super().__init__()
        self.image = torch.nn.Parameter(image)
        self.levels, self.kind = scheduler.alphas_cumprod, scheduler.config.prediction_type

    def forward(self, x, t, return_dict=True):
        alpha, sigma = (level.sqrt().reshape(-1, 1, 1, 1) for level in (self.levels[t], 1 - self.levels[t]))
        noise = (x - alpha * self.image) / sigma
        target = {
            "epsilon": noise,
            "sample": self.image.expand_as(x),
            "v_prediction": alpha * noise - sigma * self.image,
        }
        return (target[self.kind] + 0 * x,)


@pytest.mark.parametrize("kind", KINDS)
def test_closed_form_one_image(kind):
    scheduler = diffusers.DDPMScheduler(prediction_type=kind)
    oracle = Oracle(scheduler, TRAIN[:1])
    with torch.no_grad():
        at = torch.tensor([20.0, 500.0, 999.0])
        known = loss_of(oracle, scheduler)(TRAIN[:1].expand(3, *SHAPE), at, keyed_generator("a"))
        other = loss_of(oracle, scheduler)(TRAIN[1:2].expand(3, *SHAPE), at, keyed_generator("a"))
        generated = sampler_of(oracle, scheduler, SHAPE, steps=5)(300, keyed_generator("b"))
    level = scheduler.alphas_cumprod[at.long()]
    # the noise that would make the one image of the other: off by alpha / sigma times their difference
    wanted = level / (1 - level) * (TRAIN[1] - TRAIN[0]).square().mean()
    assert known.shape == (3,) and float(known.max()) < 1e-5
    torch.testing.assert_close(other, wanted, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(generated, TRAIN[:1].expand(300, *SHAPE), rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_the_training_loss_and_the_pipeline(kind):
    model = unet().eval()
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=100, prediction_type=kind)
    t, noise = torch.tensor([30.0] * 16), torch.randn(TRAIN.shape, generator=keyed_generator("a"))
    targets = {"epsilon": noise, "sample": TRAIN, "v_prediction": scheduler.get_velocity(TRAIN, noise, t.long())}
    level = float(scheduler.alphas_cumprod[30])
    units = {"epsilon": 1.0, "sample": level / (1 - level), "v_prediction": level}
    with torch.no_grad():
        predicted = model(scheduler.add_noise(TRAIN, noise, t.long()), t.long()).sample
        own = (predicted - targets[kind]).square().flatten(1).mean(1)
        found = loss_of(model, scheduler)(TRAIN, t, keyed_generator("a"))
    torch.testing.assert_close(found, units[kind] * own, rtol=1e-4, atol=1e-6)

    pipeline = diffusers.DDIMPipeline(model, scheduler)  # which makes itself a DDIM scheduler
    pipeline.set_progress_bar_config(disable=True)
    wanted = pipeline(4, keyed_generator("b"), num_inference_steps=5, output_type="np").images
    with torch.no_grad():
        sample = sampler_of(pipeline.unet, pipeline.scheduler, SHAPE, steps=5)
        images = (sample(4, keyed_generator("b")) / 2 + 0.5).clamp(0, 1)
    torch.testing.assert_close(images, torch.from_numpy(wanted).permute(0, 3, 1, 2), rtol=0, atol=1e-5)


def test_a_learned_variance_is_left_out():
    scheduler = diffusers.DDPMScheduler(variance_type="learned_range")
    with torch.no_grad():
        assert sampler_of(unet(2), scheduler, SHAPE, steps=2)(3, keyed_generator("a")).shape == (3, *SHAPE)
        assert loss_of(unet(2), scheduler)(TRAIN, torch.full((16,), 5.0), keyed_generator("a")).shape == (16,)


def test_rejects_other_schedulers():
    with pytest.raises(GenwindowError, match="FlowMatchEulerDiscreteScheduler has no alphas_cumprod: give the DDPM"):
        loss_of(unet(), diffusers.FlowMatchEulerDiscreteScheduler())
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=10)
    with pytest.raises(GenwindowError, match="steps must be a whole number of at least 1 and at most 10"):
        sampler_of(unet(), scheduler, SHAPE, steps=11)
    scheduler.register_to_config(prediction_type="score")
    with pytest.raises(GenwindowError, match="prediction_type must be one of"):
        loss_of(unet(), scheduler)


def test_the_example_of_the_docs_runs():
    assert run_example("diffusers")["monitor"].last_step == 100
