import json

import pytest

from genwindow import GenwindowError
from genwindow.runs import DataSettings, MeasureSettings, NetSettings, RunConfig, TrainSettings, differences
from genwindow.runs.config import LATER


def test_roundtrip_through_json():
    config = RunConfig(data=DataSettings(n=7, size=8), train=TrainSettings(fixed_t=3.5), net=NetSettings("unet", 16))
    assert RunConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_the_size_of_a_batch_is_known_where_the_settings_say_all():
    sizes = [RunConfig(DataSettings(n=7), train=TrainSettings(batch=batch)).batch_size for batch in (0, 3, 64)]
    assert sizes == [7, 3, 7]


def test_every_problem_is_reported_at_once():
    with pytest.raises(GenwindowError) as caught:
        RunConfig.from_json(
            {"data": {"n": 0, "sourse": "x"}, "train": {"lr": "fast", "optimizer": "lion"}, "net": 3, "device": None}
        )
    message = str(caught.value)
    for part in (
        "unknown setting data.sourse",
        "n must be at least 1, got 0",
        "train.lr has the wrong type: 'fast'",
        "train.optimizer has the wrong type: 'lion'",
        "net. must be a table of settings, got 3",
        "device has the wrong type",
    ):
        assert part in message, message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DataSettings(n=0), "n must be at least 1, got 0"),
        (lambda: DataSettings(source=""), "source must not be empty"),
        (lambda: NetSettings("unet", 12), "width must be a multiple of 8 for the unet, got 12"),
        (lambda: TrainSettings(lr=0.0), "lr must be above 0 and finite, got 0.0"),
        (lambda: TrainSettings(lr=float("inf")), "lr must be above 0 and finite, got inf"),
        (lambda: TrainSettings(fixed_t=float("inf")), "fixed_t must be null, or above 0 and finite, got inf"),
        (lambda: TrainSettings(seed=2**64), r"seed must be in \[0, 2\^64\), got 18446744073709551616"),
        (lambda: TrainSettings(ema=1.0), r"ema must be in \[0, 1\), got 1.0"),
        (lambda: MeasureSettings(loss_times=(0.5, 0.1)), "loss_times must be shares"),
        (lambda: MeasureSettings(samples=1), r"samples must be 0 \(none\) or at least 2, got 1"),
        (lambda: MeasureSettings(guidance=(1.0, 0.0)), "guidance must be weights above 0, each once"),
        (lambda: MeasureSettings(also_samplers=("ddim",)), "also_samplers must be others than the sampler"),
        (lambda: DataSettings(class_weights=(1.0,)), "class_weights must be null or at least two numbers above 0"),
        (lambda: MeasureSettings(guidance=(1.0, 1.0000001)), "each once in six digits"),
        (lambda: DataSettings("mixture", parameter=1e40), r"within 10000 of 0 for the mixture, got 1e\+40"),
        (
            lambda: DataSettings("heavy-tails", parameter=float("nan")),
            "parameter must be null or a finite number, got nan",
        ),
        (lambda: DataSettings(dimension=0), "dimension must be at least 1, got 0"),
        (lambda: RunConfig(device="banana"), "device must be cpu, cuda, cuda:N, mps or auto; got 'banana'"),
        (lambda: TrainSettings(label_dropout=1.0), r"label_dropout must be in \[0, 1\), got 1.0"),
    ],
)
def test_rejects_bad_settings(build, message):
    with pytest.raises(GenwindowError, match=message):
        build()


def test_the_digest_names_the_settings():
    assert RunConfig().digest == RunConfig().digest
    assert RunConfig().digest != RunConfig(data=DataSettings(n=65)).digest
    assert RunConfig().digest == RunConfig(device="cuda").digest


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"train": {"ema": 0}}, {"train": {"ema": 0.0}}),
        ({"train": {"momentum": -0.0}}, {"train": {"momentum": 0.0}}),
        ({"train": {"fixed_t": 2}}, {"train": {"fixed_t": 2.0}}),
        ({"measure": {"per_octave": 3}}, {"measure": {"per_octave": 3.0}}),
        ({"measure": {"guidance": [1]}}, {"measure": {"guidance": [1.0]}}),
        ({"data": {"class_weights": [4, 1]}}, {"data": {"class_weights": [4.0, 1.0]}}),
    ],
)
def test_the_digest_does_not_depend_on_how_a_number_is_written(one, same):
    assert RunConfig.from_json(one).digest == RunConfig.from_json(same).digest
    assert repr(RunConfig.from_json(one)) == repr(RunConfig.from_json(same))
    assert isinstance(RunConfig.from_json(one).data.n, int)


def test_the_digest_is_that_of_settings_made_in_python_too():
    made = RunConfig(train=TrainSettings(ema=0), measure=MeasureSettings(per_octave=2, guidance=(3,)))
    assert made.digest == RunConfig(measure=MeasureSettings(guidance=(3.0,))).digest


def test_rejects_a_whole_number_that_is_no_float():
    with pytest.raises(GenwindowError, match="train.lr has the wrong type"):
        RunConfig.from_json({"train": {"lr": 10**400}})


def test_differences_are_listed_with_both_values():
    assert differences(RunConfig(), RunConfig(data=DataSettings(n=65), device="cuda")) == [
        "data.n: 64 against 65",
        "device: 'cpu' against 'cuda'",
    ]


def test_digests_of_folders_made_before_later_settings_stay():
    before = {k: v for k, v in RunConfig().to_json().items()}
    for path in LATER:
        group, name = path.split(".")
        del before[group][name]
    assert RunConfig.from_json(before) == RunConfig()
    assert RunConfig().digest == "692dfc13e7"  # of version 0.1.0 before there were these settings
    assert RunConfig(measure=MeasureSettings(per_octave=3)).digest == "c3bca7efe5"  # whole in every experiment
    assert RunConfig(data=DataSettings(dimension=9)).digest != RunConfig().digest
