"""A host of accelerate with two processes, begun by torchrun from `test_processes.py`: `two_accelerate.py OUT`.

Each process writes the state of its monitor at the end: whole, and resumed with `save_state` and `load_state`.
"""

import json
import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from tests.monitor.hosts import STEPS, TRAIN, Network, batch_error, unchanged, watching

from genwindow.monitor.accelerate import AcceleratorLogger


class Host:
    def __init__(self, folder):
        torch.manual_seed(0)
        self.accelerator = Accelerator(cpu=True, project_dir=folder)
        network = Network()
        self.network, self.optimizer = self.accelerator.prepare(network, torch.optim.AdamW(network.parameters(), 1e-2))
        self.monitor = watching(self.network, logger=AcceleratorLogger(self.accelerator))
        self.accelerator.register_for_checkpointing(self.monitor)

    def train(self, first, last):
        for step in range(first, last + 1):
            torch.manual_seed(1000 * step + self.accelerator.process_index)
            batch = TRAIN[torch.randint(len(TRAIN), (8,))]
            self.optimizer.zero_grad()
            self.accelerator.backward(batch_error(self.network, batch))
            self.optimizer.step()
            with unchanged(self.network):
                self.monitor.update(step)
        return self


def main(out):
    whole = Host(out).train(1, STEPS)
    Host(out).train(1, 12).accelerator.save_state(out / "state")
    rest = Host(out)
    rest.accelerator.load_state(out / "state")
    rest.train(13, STEPS)
    rank, world = whole.accelerator.process_index, whole.accelerator.num_processes
    found = {name: {"state": host.monitor.state_dict()} for name, host in {"whole": whole, "resumed": rest}.items()}
    (out / f"{rank}.json").write_text(json.dumps({**found, "world": world}))
    whole.accelerator.end_training()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
