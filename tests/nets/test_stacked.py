import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits
from torch.func import functional_call, stack_module_state, vmap

from genwindow import GenwindowError
from genwindow.diffusion.draws import keyed_generator
from genwindow.nets import ResidualMLP, StackedMLP


def networks(count=3, shape=(2, 3), width=16, blocks=2):
    torch.manual_seed(0)
    return [ResidualMLP(shape, width, blocks) for _ in range(count)]


def close(one, other):
    return torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def batches(count=3, batch=5, shape=(2, 3)):
    generator = keyed_generator("batches")
    x = torch.randn(count, batch, *shape, generator=generator)
    return x, 1000 * torch.rand(count, batch, generator=generator), torch.randn(x.shape, generator=generator)


def test_outputs_and_gradients_agree_with_vmap_over_the_ordinary_forward():
    made = networks()
    x, times, target = batches()
    weights, _ = stack_module_state(made)
    forward = vmap(lambda own, x, t: functional_call(made[0], own, (x, t)))
    expected = forward(weights, x, times)
    (expected - target).square().mean().backward()
    gradients = [weights[name].grad for name, _ in made[0].named_parameters()]

    stack = StackedMLP(made)
    for _ in range(2):  # a second pass replaces the gradients
        output = stack(x.flatten(0, 1), times.flatten()).view_as(x)
        assert close(output, expected)
        (output - target).square().mean().backward()
    for k, own in enumerate(stack.views(stack.all.grad)):
        for mine, gradient in zip(own, gradients, strict=True):
            assert close(mine, gradient[k]) and gradient[k].abs().max() > 0


def test_conditional_outputs_and_gradients_agree_with_each_network_alone():
    torch.manual_seed(0)
    made = [ResidualMLP((6,), 16, 2, classes=3) for _ in range(2)]
    x, times, target = batches(2, 5, (6,))
    labels = torch.tensor([[0, 2, -1, 2, 1], [-1, -1, 0, 0, 2]])
    for label in (labels, None):
        outputs = [network(x[k], times[k], None if label is None else label[k]) for k, network in enumerate(made)]
        gradients = [
            torch.autograd.grad((output - target[k]).square().mean(), list(made[k].parameters()))
            for k, output in enumerate(outputs)
        ]
        stack = StackedMLP(made)
        output = stack(x.flatten(0, 1), times.flatten(), None if label is None else label.flatten()).view_as(x)
        assert close(output, torch.stack(outputs))
        (output - target).square().mean((1, 2)).sum().backward()
        for own, expected in zip(stack.views(stack.all.grad), gradients, strict=True):
            assert all(close(mine, theirs) for mine, theirs in zip(own, expected, strict=True))


def gradients_and_output(threads, times):
    """What a stack gives with products by NumPy (one thread) or PyTorch (two)."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stack = StackedMLP(networks())
        x, _, target = batches()
        output = stack(x.flatten(0, 1), times).view_as(x)
        (output - target).square().mean().backward()
        return output.detach(), stack.all.grad.clone()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    "times",
    [torch.arange(15.0) * 71, torch.arange(15.0) * 71 + 0.5, torch.full((15,), 1000.0), torch.full((15,), 1001.0)],
)
def test_products_by_numpy_and_by_torch_agree_at_whole_and_other_times(times):
    ours, theirs = gradients_and_output(1, times), gradients_and_output(2, times)
    assert all(close(mine, other) for mine, other in zip(ours, theirs, strict=True))
    alone = networks()
    x, _, _ = batches()
    for k, network in enumerate(alone):
        assert close(ours[0][k], network(x[k], times.view(3, 5)[k]))


def test_threads_of_numpy_are_what_they_were_after_a_pass():
    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        gradients_and_output(1, torch.zeros(15))
        assert threads() == before


def test_rows_without_spread_are_normalised_to_zero():
    """A network of zeros gives rows that are constant, as one that died does."""
    made = networks(1)
    with torch.no_grad():
        for weight in made[0].parameters():
            weight.zero_()
        made[0].out.bias.fill_(2)
    stack = StackedMLP(made)
    output = stack(torch.ones(4, 6), torch.arange(4.0))
    output.square().sum().backward()
    assert (output == 2).all() and stack.all.grad.isfinite().all()


def test_agrees_with_each_network_alone_and_batches_may_change_their_size():
    made = networks()
    stack = StackedMLP(made)
    for batch in (4, 7):
        x, times, _ = batches(batch=batch)
        output = stack(x.flatten(0, 1), times.flatten()).view_as(x)
        for k, network in enumerate(made):
            assert close(output[k], network(x[k], times[k]))


def test_parameters_of_the_networks_are_views_of_the_stack():
    made = networks()
    before = [p.detach().clone() for p in made[1].parameters()]
    stack = StackedMLP(made)
    assert all(torch.equal(p, old) for p, old in zip(made[1].parameters(), before, strict=True))
    with torch.no_grad():
        stack.all[1] += 1
    assert all(torch.equal(p, old + 1) for p, old in zip(made[1].parameters(), before, strict=True))
    with torch.no_grad():
        made[2].out.bias.fill_(7)
    assert int((stack.all[2] == 7).sum()) == made[2].out.bias.numel() and not (stack.all[:2] == 7).any()


def test_a_network_full_of_nan_leaves_the_others_alone():
    made = networks()
    x, times, _ = batches()
    alone = made[0](x[0], times[0]).detach()
    with torch.no_grad():
        for weight in made[1].parameters():
            weight.fill_(float("nan"))
    stack = StackedMLP(made)
    output = stack(x.flatten(0, 1), times.flatten()).view_as(x)
    output.square().mean((1, 2, 3)).sum().backward()
    assert close(output[0], alone) and output[1].isnan().all()
    assert stack.all.grad[[0, 2]].isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_ordinary_loop_trains_the_stack(dtype):
    """`zero_grad` takes the gradients away; the next backward pass brings them back."""
    made = [network.to(dtype) for network in networks()]
    stack = StackedMLP(made)
    optimizer = torch.optim.SGD(stack.parameters(), lr=0.1)
    x, times, target = (part.to(dtype) for part in batches())
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = (stack(x.flatten(0, 1), times.flatten()).view_as(x) - target).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] and stack.all.dtype == dtype


def test_rejects_classes_that_the_networks_do_not_have():
    torch.manual_seed(0)
    stack = StackedMLP([ResidualMLP((3,), 16, 1, classes=2) for _ in range(2)])
    for label in (-2, 2):
        with pytest.raises(GenwindowError, match="labels must be classes 0 to 1 or -1"):
            stack(torch.zeros(2, 3), torch.zeros(2), torch.tensor([0, label]))


def test_rejects_networks_of_two_architectures():
    with pytest.raises(GenwindowError, match="networks must be of one architecture, at least one"):
        StackedMLP([*networks(1), *networks(1, width=8)])
    with pytest.raises(GenwindowError, match="networks must be of one architecture, at least one"):
        StackedMLP([])
    with pytest.raises(GenwindowError, match="built without classes and take no label"):
        StackedMLP(networks())(torch.zeros(3, 2, 3), torch.zeros(3), torch.zeros(3, dtype=torch.long))


def test_rejects_networks_of_another_kind():
    with pytest.raises(GenwindowError, match="networks must be ResidualMLP, got Linear"):
        StackedMLP([torch.nn.Linear(2, 2)])
