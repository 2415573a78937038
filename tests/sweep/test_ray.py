"""Ray, with a local cluster of two nodes on loopback."""

import os
import time

import pytest
import torch
from safetensors.torch import load_file
from tests.sweep.small import config

from genwindow import GenwindowError
from genwindow.runs import RunFolder, execute
from genwindow.sweep import Job, run_status
from genwindow.sweep.ray_executor import RayExecutor

ray = pytest.importorskip("ray")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def cluster(monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def test_a_run_goes_on_at_another_node_when_its_own_is_gone(tmp_path, cluster):
    """The first run fills the head; the second works on a node that is removed, then on the head."""
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    settings = config(12, steps=3000)
    first = Job(config(8, steps=1500), tmp_path / "first", checkpoint_seconds=0.2)
    second = Job(settings, tmp_path / "second", checkpoint_seconds=0.2)
    third = Job(config(16, optimizer="sgd", lr=1e9), tmp_path / "third")
    removed = []

    def remove_once():
        begun = all((job.folder / "checkpoint" / "state.pt").exists() for job in (first, second))
        if not removed and begun:
            removed.append(RunFolder(second.folder).read("status")["step"])
            cluster.remove_node(node, allow_graceful=False)

    outcomes = RayExecutor(cluster.address).run([first, second, third], remove_once)
    assert removed and [outcome.state for outcome in outcomes] == ["done", "done", "failed"]
    assert [outcome.job for outcome in outcomes] == [first, second, third]
    assert "diverged" in outcomes[2].error and run_status(third).state == "failed"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        execute(settings, tmp_path / "unbroken")
    finally:
        torch.set_num_threads(threads)
    one, other = (load_file(tmp_path / name / "snapshots" / "final.safetensors") for name in ("unbroken", "second"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_rejects_a_cluster_that_is_not_there():
    began = time.monotonic()
    with pytest.raises(GenwindowError, match="cannot join the Ray cluster"):
        RayExecutor("auto").run([Job(config(8), "nowhere")])
    assert time.monotonic() - began < 60
    assert not os.path.exists("nowhere")


def test_rejects_senseless_shares():
    with pytest.raises(GenwindowError, match="cpus must be a number"):
        RayExecutor(cpus=0)
    with pytest.raises(GenwindowError, match="gpus must be a number"):
        RayExecutor(gpus=-1)
