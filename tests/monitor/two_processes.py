"""A host of two processes, begun by torchrun from `test_processes.py`: `two_processes.py OUT`.

The network is wrapped for data-parallel training and has buffers, so that every forward is a collective call. Each
process watches through the wrapped network, and writes what it has at the end: whole, resumed in the middle, unwatched.
"""

import hashlib
import json
import sys
from pathlib import Path

import torch
from tests.monitor.hosts import STEPS, TRAIN, Network, batch_error, unchanged, watching
from torch import distributed
from torch.nn.parallel import DistributedDataParallel


class Host:
    def __init__(self, rank, watched=True):
        torch.manual_seed(0)
        self.rank, self.network = rank, DistributedDataParallel(Network())
        self.optimizer = torch.optim.AdamW(self.network.parameters(), 1e-2)
        self.monitor = watching(self.network) if watched else None

    def train(self, first, last):
        for step in range(first, last + 1):
            torch.manual_seed(1000 * step + self.rank)  # a resumed host draws the same; dropout differs between ranks
            batch = TRAIN[torch.randint(len(TRAIN), (8,))]
            self.optimizer.zero_grad()
            batch_error(self.network, batch).backward()
            self.optimizer.step()
            if self.monitor is not None:
                with unchanged(self.network):
                    self.monitor.update(step)
        return self

    def resumed(self):
        """A new host with the state of this one, through plain text where it is the monitor's."""
        other = Host(self.rank)
        other.network.load_state_dict(self.network.state_dict())
        other.optimizer.load_state_dict(self.optimizer.state_dict())
        other.monitor.load_state_dict(json.loads(json.dumps(self.monitor.state_dict())))
        return other

    def found(self):
        weights = b"".join(v.numpy().tobytes() for v in self.network.state_dict().values())
        state = {} if self.monitor is None else self.monitor.state_dict()
        return {"weights": hashlib.sha256(weights).hexdigest(), "state": state}


def with_trouble(rank):
    """Samples of the second process are NaN at one measuring time; all must go on alike."""
    host = Host(rank)
    samples = host.monitor._samples
    draw = samples._sample

    def broken(count, generator):
        images = draw(count, generator)
        return images * float("nan") if rank == 1 and host.monitor.last_step == 6 else images

    samples._sample = broken
    return host.train(1, STEPS)


def main(out):
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    hosts = {
        "whole": Host(rank).train(1, STEPS),
        "resumed": Host(rank).train(1, 12).resumed().train(13, STEPS),
        "unwatched": Host(rank, watched=False).train(1, STEPS),
        "trouble": with_trouble(rank),
    }
    Path(out, f"{rank}.json").write_text(json.dumps({name: host.found() for name, host in hosts.items()}))
    distributed.barrier()  # neither may leave while the other still talks to it: gloo aborts then, though seldom
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
