"""A Lightning host of two processes, begun by torchrun from `test_processes.py`: `two_lightning.py OUT`.

Each process writes the state of its monitor at the end: whole, resumed from the trainer's checkpoint in the middle, and
stopped by the rule.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from tests.monitor.hosts import TRAIN, Network, batch_error, watching
from torch.utils.data import DataLoader

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as pl

    from genwindow.monitor.lightning import MonitorCallback


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.network = Network()

    def training_step(self, batch):
        torch.manual_seed(1000 * self.global_step + self.global_rank)  # Lightning does not resume random states
        return batch_error(self.network, batch)

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), 1e-2)


def copying(count, generator):
    return TRAIN[torch.arange(count) % len(TRAIN)] + 1e-3 * torch.randn((count, 1, 4, 4), generator=generator)


def fit(folder, epochs=12, resume=None, stop=False, **settings):
    """Two steps an epoch: the trainer gives each process half of the images."""
    module = Module()
    callback = MonitorCallback(watching(module.network, **settings), stop=stop)
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", strategy="ddp", devices=2, callbacks=[callback], logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder,
    )  # fmt: skip
    trainer.fit(module, DataLoader(TRAIN, 8), ckpt_path=resume)
    trainer.save_checkpoint(folder / f"{epochs}.ckpt")
    return trainer, {"state": callback.monitor.state_dict(), "step": trainer.global_step}


def main(out):
    trainer, half = fit(out, epochs=6)
    found = {"half": half, "resumed": fit(out, resume=out / "6.ckpt")[1], "whole": fit(out)[1]}
    found["stopped"] = fit(out, stop=True, sample=copying)[1]
    (out / f"{trainer.global_rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
