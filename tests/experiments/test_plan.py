"""The plan against simulated runs: times follow a known law, seconds a known cost."""

import numpy as np
import pytest

from genwindow import Estimate, GenwindowError
from genwindow.experiments.plan import Made, enough_budget, expected, next_round, smallest_size


def cost(n, steps):
    return steps * (0.004 + 1e-5 * n)


def carry_out(budget, *, beta=1.0, scale=20.0, workers=2, largest=50_000, rounds=30):
    """Follow the plan to its end; returns the pilots and why it ended."""
    rng = np.random.default_rng(0)
    made, true = {}, {}
    for _ in range(rounds):
        todo = next_round(list(made.values()), first=16, largest=largest, budget=budget, workers=workers,
                          seconds_of=cost)  # fmt: skip
        if todo.n is None:
            return list(made.values()), todo.why
        for seed in todo.seeds:
            key = (todo.n, seed)
            tau = true.setdefault(key, scale * todo.n**beta * np.exp(0.1 * rng.normal()))
            steps = todo.seconds / cost(todo.n, 1)
            if steps >= 1.2 * tau:
                found = Estimate(tau, tau / 1.15, tau * 1.15, "found", "t")
                made[key] = Made(*key, cost(todo.n, 1.2 * tau), found)
            else:
                made[key] = Made(*key, todo.seconds, Estimate(None, min(steps, tau), None, "not_reached", "t"))
    raise AssertionError("the plan did not end")


@pytest.mark.parametrize("beta", [0.8, 1.0, 1.5])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_a_plan_keeps_its_budget_and_makes_three_sizes(beta, workers):
    made, why = carry_out(600, beta=beta, workers=workers)
    assert why == "three sizes are made" and len(made) == 6 and sorted({m.n for m in made}) == [16, 32, 64]
    assert sum(m.seconds for m in made) / min(workers, 2) <= 600


def test_order_a_smaller_budget_takes_smaller_sizes():
    sizes = [max(m.n for m in carry_out(budget, beta=1.2)[0]) for budget in (30, 40, 600)]
    assert sizes[0] < sizes[2] == 64 and sizes == sorted(sizes)


def test_a_budget_that_does_not_let_the_smallest_copy_says_what_would():
    made, why = carry_out(2.0)
    assert "no pilot with n = 16 had surely begun to copy" in why
    wanted = enough_budget(made, first=16, workers=2, seconds_of=cost)
    assert wanted > 2.0
    known, why = carry_out(6.8)
    assert "does not allow a further size" in why
    assert len({m.n for m in carry_out(enough_budget(known, first=16, workers=2, seconds_of=cost) * 4 / 3)[0]}) == 3


def test_pilots_that_copied_before_their_first_measurement_end_the_plan():
    early = Estimate(None, None, 400.0, "below_range", "t")
    made = [Made(16, seed, 5.0, early) for seed in (0, 1)]
    todo = next_round(made, first=16, largest=512, budget=1000, workers=2, seconds_of=cost)
    assert todo.n is None and todo.why == "all pilots had begun to copy by their first measurement"


def test_a_larger_budget_runs_on_pilots_that_had_not_copied():
    late = Estimate(None, 100.0, None, "not_reached", "t")
    made = [Made(16, 0, 5.0, late), Made(16, 1, 5.0, late)]
    arguments = {"first": 16, "largest": 1000, "workers": 2, "seconds_of": cost}
    assert next_round(made, budget=20.0, **arguments).n is None
    more = next_round(made, budget=80.0, **arguments)
    assert (more.n, more.seeds, more.seconds) == (16, (0, 1), 20.0) and "goes on" in more.why


def test_pilots_are_never_larger_than_the_full_run():
    assert max(m.n for m in carry_out(600, largest=40)[0]) <= 40


def test_closed_form_expected_times():
    one = [Made(16, seed, 1.0, Estimate(300.0, 290, 310, "found", "t")) for seed in (0, 1)]
    assert expected(one, 32) == pytest.approx(300 * 2**1.3)
    two = [*one, *(Made(32, seed, 1.0, Estimate(600.0, 590, 610, "found", "t")) for seed in (0, 1))]
    assert expected(two, 64) == pytest.approx(1200, rel=0.02)


def test_pilots_fill_the_batch_where_the_full_run_does():
    assert smallest_size(0, 1000) == 16 and smallest_size(128, 1000) == 128 and smallest_size(512, 300) == 16
    with pytest.raises(GenwindowError, match=r"begin at n = 512 \(the batch\) and need three sizes"):
        smallest_size(512, 600)
