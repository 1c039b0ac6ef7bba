"""The fork-join pool: every part runs once, whoever runs it; threads, forks, nesting, numbers of threads."""

import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

ir = pytest.importorskip("llvmlite.ir")

from flambeau.kernels import build, threads
from flambeau.kernels import pool as pool_code
from flambeau.kernels.build import kernel
from flambeau.kernels.emit import I64, PTR

pytestmark = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@kernel("y:i8!=n n", work="n", cost="100000")
def count_up(k, begin, end, y, n):
    """y += 1; each item is so expensive that it is a part of its own (up to 64)."""
    for i in k.range(begin, end):
        y[i] = y[i] + 1


@kernel("y:i8!=n*n n run state part", work="n", cost="100000")
def launch_again(k, begin, end, y, n, run, state, part):
    """Each part launches a job of its own through the pool."""
    for i in k.range(begin, end):
        context = k.reserve(2)
        row = y.at(i * n)
        k.b.store(k.b.ptrtoint(row.v, I64), context)
        k.b.store(n.v, k.b.gep(context, [k.int(1).v], source_etype=I64))
        pointers = [k.b.inttoptr(v.v, PTR) for v in (state, part)]
        kind = ir.FunctionType(ir.VoidType(), [PTR, PTR, PTR, I64, I64])
        k.call_pointer(k.b.inttoptr(run.v, PTR), kind, [*pointers, context, n.v, n.v])


@pytest.fixture
def number():
    """Sets the number of threads; afterwards it is what it was."""
    before = threads.get_num_threads()
    yield threads.set_num_threads
    threads.set_num_threads(before)


def in_new_process(code, **environment):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("many", [1, 2, 3, 8])
@pytest.mark.parametrize("n", [1, 2, 3, 7, 63, 64, 65, 1000])
def test_every_item_runs_once(number, many, n):
    number(many)
    y = np.zeros(n, np.int64)
    for _ in range(50):
        assert count_up.get()(y, n)
    assert (y == 50).all()


def test_changing_numbers_of_threads(number):
    y = np.zeros(64, np.int64)
    for i in range(200):
        number(1 + i % 5)
        count_up.get()(y, 64)
    assert (y == 200).all()


def test_a_part_that_launches(number):
    llvm = build.backend()
    words = llvm.table()
    run, state = int(words[llvm.POOL_RUN]), int(words[llvm.POOL_STATE])
    count_up.get()
    for many in (1, 2, 4):
        number(many)
        y = np.zeros((16, 16), np.int64)
        for _ in range(20):
            assert launch_again.get()(y, 16, run, state, count_up.part_address())
        assert (y == 20).all()


def test_many_python_threads(number):
    number(2)
    wrong = []

    def work():
        y = np.zeros(64, np.int64)
        for _ in range(300):
            count_up.get()(y, 64)
        if not (y == 300).all():
            wrong.append(y)

    running = [threading.Thread(target=work) for _ in range(6)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    assert not wrong


def test_idle_workers_sleep(number):
    number(3)
    y = np.zeros(64, np.int64)
    assert count_up.get()(y, 64)
    state = threads._state
    while state[threads.SLEEPERS] < state[threads.STARTED]:  # they do after SPINS pauses
        os.sched_yield()
    assert state[threads.STARTED] >= 2 and pool_code.SPINS < 100_000
    assert count_up.get()(y, 64) and (y == 2).all()  # and are woken, or not needed


def test_fewer_threads_than_were_started(number):
    """Workers beyond the number take no parts: the kernel below notes which thread ran each."""
    out = in_new_process("""
        import threading, numpy as np
        from flambeau.kernels import build, threads
        from flambeau.kernels.build import kernel

        @kernel("y:i8!=n n me", work="n", cost="100000")
        def who(k, begin, end, y, n, me):
            from llvmlite import ir
            from flambeau.kernels.emit import I64, PTR, Value
            for i in k.range(begin, end):
                fn = k.b.inttoptr(me.v, PTR)
                total = k.cell(0, "i8")
                for j in k.range(20000, vectorize=False):
                    total.set(total.get() ^ Value(k, k.call_pointer(fn, ir.FunctionType(I64, []), [])))
                y[i] = Value(k, k.call_pointer(fn, ir.FunctionType(I64, []), [])) + (total.get() & 0)

        import ctypes
        me = ctypes.cast(ctypes.CDLL(None).pthread_self, ctypes.c_void_p).value
        y = np.zeros(64, np.int64)
        seen = {}
        for many in (6, 2, 1, 6):
            threads.set_num_threads(many)
            found = set()
            for _ in range(20):
                assert who.get()(y, 64, me)
                found |= set(y.tolist())
            print(len(found) <= many, end=" ")
    """)
    assert out == "True True True True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_while_another_thread_computes():
    out = in_new_process(
        """
        import os, threading, warnings
        import numpy as np
        from flambeau.kernels import fused
        warnings.simplefilter("ignore")
        x = np.ones(1 << 19, np.float32)
        a = fused.pointwise("exp", x)
        going = True
        def busy():
            while going:
                fused.pointwise("exp", x)
        other = threading.Thread(target=busy)
        other.start()
        codes = []
        for _ in range(10):
            child = os.fork()
            if child == 0:
                same = all((fused.pointwise("exp", x) == a).all() for _ in range(5))
                os._exit(0 if same else 1)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        going = False
        other.join()
        print(codes == [0] * 10)
    """,
        OMP_NUM_THREADS="2",
    )
    assert out == "True"


def test_loader_workers_compute():
    out = in_new_process(
        """
        import flambeau as torch
        from flambeau.kernels import fused, threads

        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 6
            def __getitem__(self, i):
                x = torch.full((1 << 18,), float(i)).exp().softmax(0)
                return x.sum(), torch.get_num_threads()

        torch.ones(1 << 19).exp()
        loader = torch.utils.data.DataLoader(Data(), batch_size=2, num_workers=2)
        sums, numbers = zip(*loader)
        print(torch.cat(sums).sub(1).abs().max().item() < 1e-3, torch.cat(numbers).unique().tolist())
    """,
        OMP_NUM_THREADS="2",
    )
    assert out == "True [1]"


@pytest.mark.parametrize(
    "text, expected", [("1", 1), ("3", 3), ("64", 64), ("4,2", 4), ("0", 1), ("", None), ("x", None)]
)
def test_environment(text, expected):
    code = """
        import numpy as np
        from flambeau.kernels import fused, threads
        x = np.linspace(-3, 3, 1 << 19, dtype=np.float32)
        assert np.allclose(fused.pointwise("exp", x), np.exp(x), rtol=1e-6)
        print(threads.get_num_threads())
    """
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert in_new_process(code, OMP_NUM_THREADS=text) == str(expected or cpus)
