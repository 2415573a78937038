import dataclasses
import io
import math

import pytest
import torch

from genwindow import GenwindowError
from genwindow.diffusion import NetworkDenoiser, linear_schedule, named_schedule
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import ResidualMLP
from genwindow.train import EMA, Member, SomeDiverged, build_optimizer, steps_together, train_steps

SIZES = (40, 25, 8)
STEPS = 200


def members(optimizer="adam", *, ema=0.99, sizes=SIZES, prediction="noise", lr=1e-3, classes=0):
    made = []
    for seed, n in enumerate(sizes):
        torch.manual_seed(seed)
        denoiser = NetworkDenoiser(ResidualMLP((6,), 16, 2, classes), named_schedule("linear"), prediction)
        images = torch.randn(n, 6, generator=keyed_generator("images", seed))
        optimizing = build_optimizer(denoiser.parameters(), optimizer, lr)
        labels = torch.arange(n) % classes if classes else None
        made.append(Member(denoiser, images, optimizing, EMA(denoiser, ema), seed, labels))
    return made


def together(made, optimizer="adam", *, start=0, steps=STEPS, batch=8, lr=1e-3, **options):
    def build(weights):
        return build_optimizer(weights, optimizer, lr)

    return steps_together(made, build, start=start, steps=steps, batch=batch, **options)


def alone(member, *, start=0, steps=STEPS, batch=8, **options):
    return train_steps(
        member.denoiser, member.images, member.optimizer,
        steps=steps, batch=batch, seed=member.seed, start=start, ema=member.ema, labels=member.labels, **options,
    )  # fmt: skip


def weights(member, *, averaged=False):
    if averaged:
        with member.ema.applied():
            return weights(member)
    return torch.cat([p.detach().flatten().clone() for p in member.denoiser.parameters()])


def gap(one, other):
    return float((one - other).norm() / other.norm())


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("prediction", ["noise", "score"])
def test_agrees_with_training_one_by_one(optimizer, prediction):
    ours, single = members(optimizer, prediction=prediction), members(optimizer, prediction=prediction)
    records = list(together(ours, optimizer))
    for k, (mine, theirs) in enumerate(zip(ours, single, strict=True)):
        expected = list(alone(theirs))
        assert [r[k].step for r in records] == [r.step for r in expected]
        assert [r[k].samples for r in records] == [r.samples for r in expected]
        assert [r[k].loss for r in records] == pytest.approx([r.loss for r in expected], rel=1e-4)
        assert gap(weights(mine), weights(theirs)) < 1e-4
        assert gap(weights(mine, averaged=True), weights(theirs, averaged=True)) < 1e-4
        assert gap(weights(mine), weights(mine, averaged=True)) > 1e-3  # the average is not the weights


def test_agrees_with_training_one_by_one_at_one_diffusion_time_and_full_batch():
    ours, single = members(sizes=(9, 9)), members(sizes=(9, 9))
    list(together(ours, steps=20, batch=0, fixed_t=100.0))
    for mine, theirs in zip(ours, single, strict=True):
        list(alone(theirs, steps=20, batch=0, fixed_t=100.0))
        assert gap(weights(mine), weights(theirs)) < 1e-4


def test_agrees_with_training_one_by_one_when_networks_are_told_classes():
    ours, single = members(classes=3), members(classes=3)
    list(together(ours, label_dropout=0.3))
    for mine, theirs in zip(ours, single, strict=True):
        list(alone(theirs, label_dropout=0.3))
        assert gap(weights(mine), weights(theirs)) < 1e-4


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_stop_and_resume_in_the_same_company_equals_an_unbroken_run_bit_for_bit(optimizer):
    whole, broken = members(optimizer), members(optimizer)
    list(together(whole, optimizer, steps=30))
    list(together(broken, optimizer, steps=13))
    rest = together(broken, optimizer, start=13, steps=30)
    next(rest)
    assert all(a.optimizer.state_dict()["state"].keys() == b.optimizer.state_dict()["state"].keys()
               for a, b in zip(whole, broken, strict=True))  # fmt: skip
    list(rest)
    for one, other in zip(whole, broken, strict=True):
        assert torch.equal(weights(one), weights(other))
        assert torch.equal(weights(one, averaged=True), weights(other, averaged=True))


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_model_trained_together_goes_on_alone_and_the_other_way_round(optimizer):
    left, joined, single = members(optimizer), members(optimizer), members(optimizer)
    list(together(left, optimizer, steps=50))
    list(alone(left[0], start=50, steps=100))
    for member in joined:
        list(alone(member, steps=50))
    list(together(joined, optimizer, start=50, steps=100))
    list(alone(single[0], steps=100))
    for member in (left[0], joined[0]):
        assert gap(weights(member), weights(single[0])) < 1e-4
        assert gap(weights(member, averaged=True), weights(single[0], averaged=True)) < 1e-4
        for own, expected in zip(*(m.optimizer.state.values() for m in (member, single[0])), strict=True):
            assert own.keys() == expected.keys()
            assert all(own[name].shape == expected[name].shape for name in own if own[name] is not None)


def test_who_leaves_keeps_its_weights_while_the_others_go_on():
    made = members()
    list(together(made, steps=10))
    kept, state = weights(made[2]), made[2].optimizer.state_dict()["state"][0]["exp_avg"].clone()
    list(together(made[:2], start=10, steps=20))
    assert torch.equal(weights(made[2]), kept)
    assert torch.equal(made[2].optimizer.state_dict()["state"][0]["exp_avg"], state)
    assert made[2].optimizer.state_dict()["state"][0]["step"] == 10


def test_steps_are_counted_once_for_each_parameter_while_together_and_after_saving():
    """A count that all parameters shared would be advanced once for each of them by the optimizer of one model."""
    made = members()
    for record in together(made, steps=3):
        counts = [float(state["step"]) for state in made[1].optimizer.state.values()]
        assert counts == [record[1].step] * len(counts)
    buffer = io.BytesIO()
    torch.save(made[1].optimizer.state_dict(), buffer)
    buffer.seek(0)
    made[1].optimizer.load_state_dict(torch.load(buffer, weights_only=True))
    list(alone(made[1], start=3, steps=5))
    assert {float(state["step"]) for state in made[1].optimizer.state.values()} == {5.0}


def test_the_diverged_are_named_before_the_step_is_made_and_the_others_can_go_on():
    made = members()
    made[1].images[:] = float("nan")
    before = [weights(m) for m in made]
    with pytest.raises(SomeDiverged, match="1 models diverged at step 0") as caught:
        list(together(made))
    assert caught.value.step == 0 and list(caught.value.losses) == [1] and math.isnan(caught.value.losses[1])
    assert all(torch.equal(weights(m), old) for m, old in zip(made, before, strict=True))
    rest = [made[0], made[2]]
    list(together(rest, steps=20))
    single = members()
    list(alone(single[2], steps=20))
    assert gap(weights(rest[1]), weights(single[2])) < 1e-4


def test_a_look_at_the_averaged_weights_between_steps_changes_nothing():
    seen, unseen = members(), members()
    for _ in together(seen, steps=10):
        with seen[0].ema.applied():
            pass
    list(together(unseen, steps=10))
    assert all(torch.equal(weights(a), weights(b)) for a, b in zip(seen, unseen, strict=True))


def test_rejects_batches_of_different_size_and_different_predictions():
    with pytest.raises(GenwindowError, match=r"members must have batches of one size, got \[9, 16\]"):
        list(together(members(sizes=(9, 40)), batch=16))
    with pytest.raises(GenwindowError, match="members must be at least one, got none"):
        list(together([]))
    with pytest.raises(GenwindowError, match="members must have one schedule and one prediction"):
        list(together([*members(sizes=(9,)), *members(sizes=(9,), prediction="data")]))
    short = members(sizes=(9,))[0]
    short.denoiser.schedule = linear_schedule(10)
    with pytest.raises(GenwindowError, match="members must have one schedule and one prediction"):
        list(together([*members(sizes=(9,)), short]))
    told = members(sizes=(9,), classes=3)
    mixed = [*told, dataclasses.replace(members(sizes=(9,), classes=3)[0], labels=None)]
    with pytest.raises(GenwindowError, match="members must all have labels, or none"):
        list(together(mixed))
    for options, message in (
        ({"fixed_t": 0.0}, "fixed_t must be"),
        ({"fixed_t": 1001.0}, "fixed_t must be"),
        ({"label_dropout": 2.0}, "label_dropout must be"),
        ({"batch": -1}, "batch must be"),
    ):
        with pytest.raises(GenwindowError, match=message):
            list(together(members(sizes=(9, 9)), **options))
    with pytest.raises(GenwindowError, match="labels must be one for each of 9 images"):
        list(together([dataclasses.replace(told[0], labels=told[0].labels[:4])]))
    with pytest.raises(GenwindowError, match="averages must have one decay"):
        list(together([*members(sizes=(9,)), *members(sizes=(9,), ema=0.5)]))
