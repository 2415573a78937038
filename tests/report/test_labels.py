from __future__ import annotations

import dataclasses

from genwindow.report.labels import figure_labels, labels


def with_settings(run, **parts):
    config = run.config
    for part, values in parts.items():
        config = dataclasses.replace(config, **{part: dataclasses.replace(getattr(config, part), **values)})
    return dataclasses.replace(run, config=config)


def test_labels_are_unique_where_sizes_or_folders_repeat(four):
    again = dataclasses.replace(four[0], folder=four[0].folder.with_name("again"))
    assert labels((four[0], again, four[1])) == ("n = 32 (n0032)", "n = 32 (again)", "n = 64")
    assert len(set(labels((four[0], four[0])))) == 2


def test_labels_that_would_coincide_when_cut_are_numbered(four):
    long = [dataclasses.replace(four[0], folder=four[0].folder.with_name("a" * 30 + end)) for end in "xy"]
    assert figure_labels(long) == ("n = 32 (aaaaaaaaaaaa… #1", "n = 32 (aaaaaaaaaaaa… #2")
    assert all(len(label) <= 24 for label in figure_labels(long))
    assert figure_labels([long[0], four[1]]) == ("n = 32", "n = 64")


def test_labels_say_what_differs_where_n_does_not(four):
    run = four[0]
    wide = with_settings(run, net={"width": 512}, train={"steps": 7})
    assert labels([run, wide]) == (f"n = {run.n}, W = {run.config.net.width}", f"n = {run.n}, W = 512")
    sgd = with_settings(run, train={"optimizer": "sgd"})
    assert labels([run, sgd]) == (f"n = {run.n}, {run.config.train.optimizer}", f"n = {run.n}, sgd")
    full = with_settings(run, train={"batch": 0})
    assert labels([run, full])[1] == f"n = {run.n}, full batch"
    seeded = with_settings(run, train={"seed": 3}, data={"seed": 3})
    assert labels([run, seeded])[1] == f"n = {run.n}, seed = 3"


def test_labels_leave_out_what_follows_from_another_setting(four):
    run = four[0]
    made = [
        with_settings(
            run,
            data={"seed": seed, "dimension": d},
            train={"seed": seed, "optimizer": optimizer, "lr": 0.05 if optimizer == "sgd" else 6e-4},
        )
        for seed, d, optimizer in ((0, 8, "adam"), (1, 8, "adam"), (0, 8, "sgd"), (0, 16, "adam"))
    ]
    found = labels([dataclasses.replace(one, folder=one.folder.with_name(str(i))) for i, one in enumerate(made)])
    assert found[1] == f"n = {run.n}, d = 8, adam, seed = 1" and len(set(found)) == 4
    for one, first in ((0, 1), (3, 7)):  # seeds tell them apart already
        made[one] = with_settings(made[one], measure={"first": first})
        made[one] = dataclasses.replace(made[one], config=dataclasses.replace(made[one].config, device="cuda"))
    assert labels(made) == found
    apart = [made[0], with_settings(made[0], measure={"first": 9})]
    assert [name.rpartition(", ")[2] for name in labels(apart)] == ["first = 1", "first = 9"]
    equal = with_settings(run, data={"class_weights": (1.0, 1.0)})
    unequal = with_settings(run, data={"class_weights": (4.0, 1.0)})
    assert labels([equal, unequal]) == (f"n = {run.n}, equal classes", f"n = {run.n}, classes 4 : 1")
