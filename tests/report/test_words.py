from __future__ import annotations

import dataclasses

from genwindow.analysis import fit_power_law
from genwindow.curve import Estimate
from genwindow.report.limits import limits
from genwindow.report.tables import result_rows
from genwindow.report.words import (
    finding,
    findings,
    headline,
    percent,
    progress,
    scaling_sentence,
)


def law(runs):
    return fit_power_law([r.n for r in runs], [r.estimates["tau_mem"] for r in runs])


def test_finding_says_a_closed_window_plainly(four):
    said = finding(four[0])
    assert said.startswith("The window is closed: copying sets in at 1.26k")
    assert "No training time of this run gives quality without copies" in said


def test_finding_names_both_ends_of_an_open_window_with_intervals(four):
    run = four[3]
    said = finding(run)
    assert str(run.estimates["tau_gen"]) in said
    assert str(run.estimates["tau_mem"]) in said
    assert "overlap" not in said


def test_finding_says_when_the_order_is_not_certain(four):
    assert "so their order is not certain" in finding(four[1])


def test_finding_gives_the_lower_bound_of_a_time_not_reached(mixed):
    late = mixed[4]
    bound = str(late.estimates["tau_mem"])
    assert bound.startswith("> ")
    said = finding(late)
    assert "copying had not surely begun by the end of the run at 12.8k steps" in said
    assert f"(tau_mem {bound})" in said


def test_limit_a_bound_of_zero_is_not_told_as_a_bound(mixed):
    nothing = Estimate(None, 0.0, None, "not_reached", "threshold")
    late = dataclasses.replace(mixed[4], estimates={**mixed[4].estimates, "tau_mem": nothing})
    assert finding(late) == "The two times cannot be put in order (tau_mem: not_reached)."
    assert "> 0" not in finding(late)


def test_finding_of_an_empty_run_claims_nothing(mixed):
    assert finding(mixed[-1]) == "Nothing has been measured yet."


def test_progress_gives_the_reason_of_a_failure_and_is_silent_when_done(mixed):
    assert progress(mixed[5]) == "The run failed after step 3.2k of 3.2k: the loss is not finite at step 3300."
    assert progress(mixed[0]) == ""
    assert "may change" in progress(dataclasses.replace(mixed[0], status="interrupted"))
    assert "begun" in progress(dataclasses.replace(mixed[0], status="begun"))


def test_headline_follows_from_the_runs_and_the_fit(four):
    said = headline(four, law(four))
    assert "n^1.00" in said
    assert "closed at n = 32 and open at n = 64, 128 and 256" in said
    assert "closed" not in headline(four[1:], law(four[1:]))
    assert "n^" not in headline(four, None)
    assert "between 1.26k and 10.1k steps" in headline(four, None)


def test_headline_of_one_run_is_its_finding(four):
    assert headline(four[:1]).startswith("On digits with 32 training images: the window is closed")


def test_limit_headline_without_any_time(mixed):
    empty = (mixed[-1], dataclasses.replace(mixed[-1], folder=mixed[-1].folder / "other"))
    assert headline(empty) == "On digits, no training time was found yet."


def test_a_size_of_which_runs_differ_is_neither_closed_nor_open(four):
    closed, opened = (
        dataclasses.replace(four[0], estimates={**four[0].estimates, **times})
        for times in (
            {
                "tau_gen": Estimate(300.0, 250.0, 350.0, "found", "t"),
                "tau_mem": Estimate(100.0, 90.0, 110.0, "found", "t"),
            },
            {
                "tau_gen": Estimate(100.0, 90.0, 110.0, "found", "t"),
                "tau_mem": Estimate(300.0, 250.0, 350.0, "found", "t"),
            },
        )
    )
    assert "n = 32" not in headline((closed, opened, four[-1])).partition("; ")[2]
    assert "closed at n = 32" in headline((closed, closed, four[-1]))


def test_scaling_sentence_judges_the_interval_it_is_given(four):
    fit = law(four)
    assert "n^1.00" in scaling_sentence(fit)
    assert "contains 1" in scaling_sentence(fit)
    steep = dataclasses.replace(fit, exponent=Estimate(1.4, 1.2, 1.6, "found", "least_squares"))
    assert "does not contain 1" in scaling_sentence(steep)
    bare = dataclasses.replace(fit, exponent=Estimate(1.4, None, None, "found", "least_squares"))
    assert "no interval" in scaling_sentence(bare)
    assert scaling_sentence(law(four[:1])).startswith("No scaling law")
    assert scaling_sentence(None) == ""


def test_findings_tell_the_floor_and_its_upper_end(four):
    assert "marks no held-out real image as a copy (95 % upper end 1 %)" in findings(four)[-1]
    spoiled = {**four[0].estimates, "floor": Estimate(0.04, 0.02, 0.07, "found", "binomial")}
    assert "up to 4 % of held-out" in findings((dataclasses.replace(four[0], estimates=spoiled),))[-1]


def test_limits_name_the_ratio_of_n_to_d_only_beside_a_law(four):
    assert any("n/d runs from 0.5 to 4 here (d = 64 pixel values)" in text for text in limits(four, law(four)))
    assert any("local slopes above 1" in text for text in limits(four, law(four)))
    assert not any("n/d" in text for text in limits(four, None))


def test_limits_follow_the_settings(four):
    measure = dataclasses.replace(
        four[0].config.measure, sampler="heun", sampler_steps=None, threshold=0.25, samples=99
    )
    run = dataclasses.replace(four[0], config=dataclasses.replace(four[0].config, measure=measure))
    said = " ".join(limits((run,)))
    assert "HEUN with all its steps" in said
    assert "at least 4 times nearer" in said
    assert "99 samples" in said
    assert "This run was made once" in said
    assert "no proof of privacy" in said


def test_limits_are_silent_about_one_seed_when_sizes_were_repeated(four):
    twice = (four[0], dataclasses.replace(four[0], folder=four[0].folder.with_name("again")))
    assert not any("once" in text for text in limits(twice))


def test_limits_say_how_high_the_rate_may_be_where_no_copy_was_seen(mixed):
    assert any("may be as high as 0.72 %" in text for text in limits(mixed[5:6]))
    assert not any("may be as high" in text for text in limits(mixed[:1]))


def test_percent_keeps_two_decimals_below_ten():
    assert percent(Estimate(0.00196, 0.0000494, 0.0108, "found", "binomial")) == "0.2 % [0, 1.08]"
    assert percent(Estimate(0.8949, None, None, "found", "binomial")) == "89.5 %"
    assert percent(Estimate(None, None, None, "ill_posed", "binomial")) == "-"


def test_a_run_that_was_ended_because_it_had_told_enough_is_not_called_interrupted(four):
    ended = dataclasses.replace(four[0], status="interrupted", message="ended at step 60 of 90: tau_mem is known")
    assert progress(ended) == "The run ended at step 60 of 90: tau_mem is known."
    assert result_rows([ended])[0].status == "ended early"
    stopped = dataclasses.replace(ended, message="")
    assert "was interrupted" in progress(stopped) and result_rows([stopped])[0].status == "interrupted"


def test_duplicates_in_the_training_set_are_said(four):
    assert not any("Exact copies" in text for text in findings(four))
    run = dataclasses.replace(four[0], duplicates=2)
    assert "Exact copies within the training set: 2 of 32 images" in findings((run, four[1]))[-1]


def test_findings_say_what_to_try_where_no_sample_was_better_than_noise(four):
    def poor(prediction, noise):
        diffusion = dataclasses.replace(four[3].config.diffusion, prediction=prediction)
        config = dataclasses.replace(four[3].config, diffusion=diffusion)
        times = {
            "tau_gen": Estimate(None, None, None, "ill_posed", "threshold", "never better than its start"),
            "frechet_noise": Estimate(noise, None, None, "found", "frechet"),
            "frechet_floor": Estimate(0.5, None, None, "found", "frechet"),
        }
        return findings([dataclasses.replace(four[3], config=config, estimates={**four[3].estimates, **times})])[0]

    assert "train longer, or let the network predict the data" in poor("noise", 20.0)
    assert "No samples were better than noise: train longer." in poor("data", 20.0)
    assert "No samples were better" not in poor("noise", 0.6)  # white points: noise is a perfect sample
    assert "No samples were better" not in findings([four[3]])[0]
