"""Runs of a second, shared by the tests of the sweep."""

import dataclasses

from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, TrainSettings

MEASURE = MeasureSettings(first=10, per_octave=1, samples=16, sampler_steps=3, loss_images=8, loss_draws=1)


def config(n, *, steps=20, **train):
    return RunConfig(
        data=DataSettings("digits", n, heldout=40, reference=40),
        net=NetSettings("mlp", 16, 1),
        train=TrainSettings(steps=steps, batch=8, **train),
        measure=MEASURE,
    )


def lengthened(made, steps):
    return dataclasses.replace(made, train=dataclasses.replace(made.train, steps=steps))
