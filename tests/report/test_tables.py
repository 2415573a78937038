from __future__ import annotations

import dataclasses

from genwindow.curve import Estimate, short
from genwindow.report.tables import duration, provenance_rows, result_rows, settings_rows, text_table


def test_rows_hold_the_estimates_as_text(four):
    row = result_rows(four)[3]
    assert row.tau_mem == str(four[3].estimates["tau_mem"])
    assert row.tau_gen_loss == str(four[3].estimates["tau_gen_loss"])
    assert row.f_mem.startswith("42.6 % [")
    assert (row.label, row.window, row.state, row.status) == ("n = 256", "open", "open", "")


def test_rows_name_every_state(mixed):
    rows = result_rows(mixed)
    assert [row.state for row in rows] == ["closed", "open", "open", "open", "open_end", "open_end", "unknown"]
    assert [row.status for row in rows] == ["", "", "", "", "", "failed", "running"]
    assert rows[1].window == "open, intervals overlap"
    assert rows[4].tau_mem.startswith("> ")
    assert rows[6].tau_mem == rows[6].floor == "-"


def test_limit_a_bound_of_zero_is_words_not_a_number(four):
    nothing = Estimate(None, 0.0, None, "not_reached", "threshold")
    run = dataclasses.replace(four[0], estimates={"tau_mem": nothing})
    assert result_rows((run,))[0].tau_mem == "not known"


def test_text_table_has_one_aligned_line_for_each_run(mixed):
    head, rule, *lines = text_table(mixed).splitlines()
    assert len(lines) == len(mixed)
    assert set(rule) == {"-"}
    column = head.index("tau_mem")
    assert [line[column:].split("  ")[0] for line in lines] == [row.tau_mem for row in result_rows(mixed)]


def test_runs_of_one_size_are_told_apart_in_the_terminal(four):
    other = dataclasses.replace(four[0].config.train, lr=0.5)
    twin = dataclasses.replace(four[0], config=dataclasses.replace(four[0].config, train=other))
    table = text_table((four[0], twin))
    assert table.startswith("run ") and "lr = 0.5" in table
    assert text_table(four).startswith("n ")


def test_settings_give_one_value_where_runs_agree_and_all_where_not(four):
    rows = dict(settings_rows(four))
    assert rows["data.n"] == "32, 64, 128, 256"
    assert rows["train.optimizer"] == "adam"
    assert rows["measure.loss_times"] == "0.02 0.05 0.1 0.25 0.5"
    assert rows["train.fixed_t"] == "null"


def test_provenance_names_the_folder_but_not_where_it_lies(four):
    line = provenance_rows(four)[0]
    assert line[:4] == ("n = 32", "n0032", "done", "102,024")
    assert line[-1] == four[0].config.digest
    assert not any("/runs" in cell for cell in line)


def test_duration_in_units_for_people():
    assert [duration(s) for s in (0, 42, 200, 7500)] == ["-", "42 s", "3 min 20 s", "2 h 5 min"]


def test_a_window_is_open_up_to_where_copying_had_surely_not_begun(mixed):
    late = mixed[4]
    bound = late.estimates["tau_mem"]
    assert result_rows([late])[0].window == f"open up to {short(bound.low)}"
    whole = dataclasses.replace(bound, low=float(max(curve.tau[-1] for curve in late.curves)))
    sure = dataclasses.replace(late, estimates={**late.estimates, "tau_mem": whole})
    assert result_rows([sure])[0].window == "open to the end"
