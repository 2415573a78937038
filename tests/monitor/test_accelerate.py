"""A monitor in a loop of accelerate with one process; `test_processes.py` has two."""

import pytest
import torch
from tests.monitor.hosts import STEPS, TRAIN, Network, batch_error, run_example, same_weights, unchanged, watching

accelerate = pytest.importorskip("accelerate")


class Host:
    def __init__(self, folder, watched=True):
        from genwindow.monitor.accelerate import AcceleratorLogger

        torch.manual_seed(0)
        self.accelerator = accelerate.Accelerator(cpu=True, log_with="tensorboard", project_dir=folder)
        self.accelerator.init_trackers("board")
        network = Network()
        self.network, self.optimizer = self.accelerator.prepare(network, torch.optim.AdamW(network.parameters(), 1e-2))
        self.monitor = None
        if watched:
            self.monitor = watching(self.network, logger=AcceleratorLogger(self.accelerator))
            self.accelerator.register_for_checkpointing(self.monitor)

    def train(self, first, last):
        for step in range(first, last + 1):
            batch = TRAIN[torch.randint(len(TRAIN), (8,))]
            self.optimizer.zero_grad()
            self.accelerator.backward(batch_error(self.network, batch))
            self.optimizer.step()
            if self.monitor is not None:
                with unchanged(self.network):
                    self.monitor.update(step)
        return self


def test_weights_with_and_without_a_monitor_are_equal_bit_for_bit(tmp_path):
    watched, plain = Host(tmp_path).train(1, STEPS), Host(tmp_path, watched=False).train(1, STEPS)
    assert same_weights(watched.network, plain.network)
    assert watched.monitor.last_step == 23


def test_roundtrip_the_curves_go_on_from_a_checkpoint(tmp_path):
    whole = Host(tmp_path).train(1, STEPS)
    Host(tmp_path).train(1, 12).accelerator.save_state(tmp_path / "state")
    rest = Host(tmp_path)
    rest.accelerator.load_state(tmp_path / "state")
    assert rest.monitor.last_step == 11
    rest.train(13, STEPS)  # accelerate brings the random states back
    assert rest.monitor.curves() == whole.monitor.curves() and rest.monitor.compute() == whole.monitor.compute()
    assert same_weights(rest.network, whole.network)
    plain = torch.load(tmp_path / "state" / "custom_checkpoint_0.pkl", weights_only=True)  # nothing but plain values
    assert plain["last"] == 11


def test_trackers_get_numbers_and_sentences(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    host = Host(tmp_path).train(1, STEPS)
    host.accelerator.end_training()
    events = EventAccumulator(str(tmp_path / "board")).Reload()
    f_mem = {c.name: c for c in host.monitor.curves()}["f_mem"]
    assert [e.step for e in events.Scalars("genwindow/f_mem")] == f_mem.step.tolist()
    assert host.monitor.compute().text in str(events.Tensors("genwindow/verdict/text_summary")[-1].tensor_proto)


def test_the_example_of_the_docs_runs():
    assert run_example("accelerate")["monitor"].last_step == 200
