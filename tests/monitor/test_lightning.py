"""A monitor in a Lightning trainer."""

import logging
import warnings

import pytest
import torch
from tests.monitor.hosts import TRAIN, Network, batch_error, run_example, same_weights, unchanged, watching
from torch.utils.data import DataLoader

pytest.importorskip("lightning")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as pl
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    from genwindow.monitor.lightning import MonitorCallback

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers, devices and logging intervals


class Module(pl.LightningModule):
    def __init__(self, keyed=False):
        super().__init__()
        self.network, self.keyed = Network(), keyed

    def training_step(self, batch):
        if self.keyed:  # Lightning does not resume random states
            torch.manual_seed(self.global_step)
        return batch_error(self.network, batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 1e-2)


def module(keyed=False):
    torch.manual_seed(0)
    return Module(keyed)


def trainer(folder, *callbacks, epochs=8, logger=False, **settings):
    return pl.Trainer(
        max_epochs=epochs, accelerator="cpu", devices=1, callbacks=list(callbacks), logger=logger,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        default_root_dir=folder, **settings,
    )  # fmt: skip


def loader():
    return DataLoader(TRAIN, 8)  # three batches an epoch, in order


class Checked(pl.Callback):
    """Looks at the module before and after the monitor has its turn."""

    def __init__(self, inner):
        self.inner = inner

    def on_train_batch_end(self, trainer, pl_module, *rest):
        with unchanged(pl_module):
            self.inner.on_train_batch_end(trainer, pl_module, *rest)


def test_weights_with_and_without_a_monitor_are_equal_bit_for_bit(tmp_path):
    plain, watched = module(), module()
    torch.manual_seed(1)
    trainer(tmp_path).fit(plain, loader())
    callback = MonitorCallback(watching(watched.network))
    torch.manual_seed(1)
    trainer(tmp_path, Checked(callback)).fit(watched, loader())
    assert same_weights(plain, watched)
    assert [int(s) for s in callback.monitor.curves()[0].step] == [4, 6, 8, 11, 16, 23]


def test_roundtrip_the_curves_go_on_from_a_checkpoint(tmp_path):
    def fit(until, folder, resume=None):
        model = module(keyed=True)
        callback = MonitorCallback(watching(model.network))
        host = trainer(folder, callback, epochs=until)
        host.fit(model, loader(), ckpt_path=resume)
        host.save_checkpoint(folder / "last.ckpt")
        return callback.monitor

    (tmp_path / "half").mkdir(), (tmp_path / "rest").mkdir()
    fit(4, tmp_path / "half")
    assert torch.load(tmp_path / "half" / "last.ckpt", weights_only=True)["callbacks"]["MonitorCallback"]["last"] == 11
    rest = fit(8, tmp_path / "rest", tmp_path / "half" / "last.ckpt")
    whole = fit(8, tmp_path)
    assert rest.curves() == whole.curves() and rest.compute() == whole.compute()
    assert [int(s) for s in rest.curves()[0].step] == [4, 6, 8, 11, 16, 23]


def copying(count, generator):
    return TRAIN[torch.arange(count) % len(TRAIN)] + 1e-3 * torch.randn((count, 1, 4, 4), generator=generator)


def test_stops_where_asked_and_keeps_the_best(tmp_path, caplog):
    for stop in (False, True):
        model = module()
        callback = MonitorCallback(watching(model.network, sample=copying), stop=stop, keep=tmp_path / "best.ckpt")
        host = trainer(tmp_path, callback)
        with caplog.at_level(logging.INFO):
            host.fit(model, loader())
        assert host.global_step == (4 if stop else 24)
    assert callback.monitor.stop_step == 4 and "genwindow, step 4: Samples copy training images" in caplog.text
    assert not (tmp_path / "best.ckpt").exists()  # nothing is best once it copies
    model = module()
    callback = MonitorCallback(watching(model.network), keep=tmp_path / "best.ckpt")
    trainer(tmp_path, callback).fit(model, loader())
    kept = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert kept["global_step"] == callback.monitor.best.step == kept["callbacks"]["MonitorCallback"]["last"]


def test_the_trainers_loggers_get_numbers_and_sentences(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    model = module()
    board, table = TensorBoardLogger(tmp_path, "board"), CSVLogger(tmp_path, "table")
    callback = MonitorCallback(watching(model.network))
    trainer(tmp_path, callback, logger=[board, table]).fit(model, loader())
    events = EventAccumulator(board.log_dir).Reload()
    f_mem = {c.name: c for c in callback.monitor.curves()}["f_mem"]
    written = events.Scalars("genwindow/f_mem")
    assert [e.step for e in written] == f_mem.step.tolist()
    assert [e.value for e in written] == pytest.approx(f_mem.value.tolist())
    assert callback.monitor.compute().text in str(events.Tensors("genwindow/verdict/text_summary")[-1].tensor_proto)
    assert "genwindow/train_loss/t=0.3" in (tmp_path / "table" / "version_0" / "metrics.csv").read_text()


def test_the_example_of_the_docs_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the trainer writes its last checkpoint where it is
    assert run_example("lightning")["monitor"].last_step == 200
