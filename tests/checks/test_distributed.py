"""FB-DIST-01 and 02, and what of torch.distributed works in one process."""

import pytest
from checks.cases import Mistake, check, correct

import flambeau as torch
import flambeau.distributed as dist
from flambeau.errors import NotSupported

GROUP = """
import flambeau.distributed as dist
dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29571", rank=0, world_size=1)
"""
SAMPLER = """
from flambeau.utils.data.distributed import DistributedSampler
data = TensorDataset(torch.arange(8.)[:, None])
sampler = DistributedSampler(data, num_replicas=2, rank=0)
loader = DataLoader(data, batch_size=2, sampler=sampler)
"""


@pytest.fixture(autouse=True)
def no_group_left():
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def check_alone(mistake):
    """`check`, with the group of each run taken down before the next."""

    def end(outcome):
        if dist.is_initialized():
            dist.destroy_process_group()

    mistake.after = end
    return check(mistake)


def test_same_data_on_every_rank(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    check(
        Mistake(
            "FB-DIST-01",
            """
data = TensorDataset(torch.arange(8.))
loader = DataLoader(data, batch_size=4, shuffle=True)
for epoch in range(2):
    for (x,) in loader: pass  # HERE
""",
            cause="same data",
            level="W",
            says=("4 processes", "DistributedSampler(data)"),
        )
    )
    check(
        Mistake(
            "FB-DIST-01",
            """
net = nn.Linear(1, 1); opt = optim.SGD(net.parameters(), 0.01)
train = DataLoader(TensorDataset(torch.arange(8.)[:, None]), batch_size=4)
def epoch():
    for (x,) in train:
        opt.zero_grad(); net(x / 8).pow(2).mean().backward(); opt.step()
epoch(); epoch()
""",
            cause="same data",
        )
    )
    correct("for (x,) in DataLoader(TensorDataset(torch.arange(8.)), batch_size=4): pass\n")  # evaluation
    correct(
        "from flambeau.utils.data import Subset\n"
        "d = Subset(TensorDataset(torch.arange(8.)), range(0, 8, 4))\n"
        "for _ in range(2):\n    for (x,) in DataLoader(d, batch_size=2, shuffle=True): pass\n"
    )


def test_epochs_in_the_same_order():
    check(
        Mistake(
            "FB-DIST-01",
            SAMPLER + "for epoch in range(2):\n    for (x,) in loader: pass  # HERE\n",
            cause="epoch",
            fix=[("for epoch in range(2):\n", "for epoch in range(2):\n    sampler.set_epoch(epoch)\n",
                  "sampler.set_epoch(epoch)")],
        )
    )  # fmt: skip
    trained = """
net = nn.Linear(1, 1); opt = optim.SGD(net.parameters(), 0.01)
class T:
    def fit(self):
        for epoch in range(3):
            for batch in loader:
                opt.zero_grad(); net(batch[0] / 8).pow(2).mean().backward(); opt.step()
T().fit()
"""
    check(Mistake("FB-DIST-01", SAMPLER + trained, cause="epoch"))
    correct(
        SAMPLER
        + """
net = nn.Linear(1, 1); opt = optim.SGD(net.parameters(), 0.01)
train = DataLoader(data, batch_size=4)
for epoch in range(3):
    for (x,) in train:
        opt.zero_grad(); net(x / 8).pow(2).mean().backward(); opt.step()
    for (x,) in loader: net(x)  # evaluation: the order does not matter
"""
    )


def test_the_wrapper_is_bypassed():
    check_alone(
        Mistake(
            "FB-DIST-02",
            GROUP
            + """
net = nn.Linear(4, 2); ddp = nn.parallel.DistributedDataParallel(net)
loss = net(torch.randn(8, 4)).sum()
loss.backward()  # HERE
""",
            level="W",
            says=("`net`", "`ddp`"),
            fix=[("loss = net(", "loss = ddp(", "`ddp(...)`")],
        )
    )
    check_alone(
        Mistake(
            "FB-DIST-02",
            GROUP
            + """
from flambeau.nn.parallel import DistributedDataParallel as DDP
class Trainer:
    def __init__(self):
        self.model = DDP(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)))
        self.opt = optim.SGD(self.model.parameters(), 0.1)
    def step(self, x):
        self.opt.zero_grad()
        self.model.module(x).pow(2).mean().backward()
        self.opt.step()
t = Trainer()
for _ in range(3): t.step(torch.randn(8, 4))
""",
        )
    )


def test_the_wrapper_used_well():
    correct(
        GROUP
        + """
net = nn.Linear(4, 2); ddp = nn.parallel.DistributedDataParallel(net)
opt = optim.SGD(ddp.parameters(), 0.1)
for i in range(4):
    loss = ddp(torch.randn(8, 4)).pow(2).mean() + 1e-3 * sum(p.pow(2).sum() for p in net.parameters())
    opt.zero_grad(); loss.backward(retain_graph=True); loss.backward(); opt.step()
    with torch.no_grad(): net(torch.randn(2, 4))
    with ddp.no_sync(): pass
"""
    )


def test_a_group_of_one():
    dist.init_process_group("gloo", rank=0, world_size=1)
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend(), dist.is_initialized()) == (0, 1, "gloo", True)
    t, out = torch.ones(2), [torch.zeros(2)]
    dist.all_reduce(t, op=dist.ReduceOp.SUM)
    dist.all_gather(out, t)
    assert out[0].tolist() == [1.0, 1.0] and dist.barrier() is None and dist.broadcast(t, 0, async_op=True).wait()
    with pytest.raises(ValueError, match="twice"):
        dist.init_process_group("gloo", rank=0, world_size=1)
    assert len(torch.utils.data.distributed.DistributedSampler(range(5))) == 5


def test_more_processes_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(NotSupported, match="4 processes"):
        dist.init_process_group("gloo")
    with pytest.raises(RuntimeError, match="NCCL"):
        dist.init_process_group("nccl", rank=0, world_size=1)
    monkeypatch.delenv("RANK")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with pytest.raises(ValueError, match="RANK expected"):
        dist.init_process_group()
    with pytest.raises(ValueError, match="rank and world_size"):
        dist.init_process_group("gloo", init_method="tcp://127.0.0.1:1")
    with pytest.raises(ValueError, match="has not been initialized"):
        dist.get_rank()
