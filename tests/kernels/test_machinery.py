"""How kernels are called, checked and shared out among threads."""

import ctypes
import os
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

from flambeau.kernels import build, fused, threads
from flambeau.kernels.build import kernel, parse

needs_llvm = pytest.mark.skipif(build.backend() is None, reason="no LLVM here")


@kernel("x:T=n y:T!=n n add:d", work="n", cost="1")
def shifted(k, begin, end, x, y, n, add):
    """x + add"""
    for i in k.range(begin, end):
        y[i] = x[i] + add


def in_new_process(code, **environment):
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_signature():
    x, y, n = parse("x:T=n*2 y:T!?=n n")
    assert (x.kind, x.size, x.written, x.optional) == ("T", ("n", "2"), False, False)
    assert (y.written, y.optional, n.kind, n.is_array) == (True, True, "n", False)
    with pytest.raises(ValueError, match="cannot read"):
        parse("x:=")


@needs_llvm
def test_arguments_that_do_not_fit_are_refused():
    f = shifted.get("f4")
    x, y = np.arange(6, dtype=np.float32), np.zeros(6, np.float32)
    assert f(x, y, 6, 1.0) is True and (y == x + 1).all()
    y[:] = 0
    frozen = np.zeros(6, np.float32)
    frozen.flags.writeable = False

    class Kind(np.ndarray):
        pass

    unaligned = np.zeros(25, np.uint8)[1:].view(np.float32)
    for bad in [
        (x, y, 5, 1.0), (x, y, 7, 1.0), (x, y, -6, 1.0), (x, y, 6), (), (x, y, 6, 1), (x, y, 6.0, 1.0),
        (x.astype(np.float64), y, 6, 1.0), (x[::-1], y, 6, 1.0), (np.zeros(12, np.float32)[::2], y, 6, 1.0),
        (x, frozen, 6, 1.0), (list(x), y, 6, 1.0), (None, y, 6, 1.0), (x.view(Kind), y, 6, 1.0),
        (x.astype(">f4"), y, 6, 1.0), (x.view(np.int32), y, 6, 1.0), (unaligned, y, 6, 1.0), (x, y, 2**70, 1.0),
    ]:  # fmt: skip
        assert f(*bad) is False
        assert (y == 0).all()


@needs_llvm
def test_a_part_by_its_address():
    x, y = np.arange(9, dtype=np.float64), np.zeros(9)
    words = np.array([x.ctypes.data, y.ctypes.data, 9, 0], np.int64)
    words[3:].view(np.float64)[0] = 2.5
    run = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)(shifted.part_address("f8"))
    run(words.ctypes.data, 2, 7)
    np.testing.assert_array_equal(y[2:7], x[2:7] + 2.5)
    assert not y[:2].any() and not y[7:].any()
    assert shifted.share({"n": 100}) == (100, 1)
    assert shifted.share({"n": build.PARALLEL_FROM}) == (build.PARALLEL_FROM, 4)


@needs_llvm
@pytest.mark.parametrize("n", [0, 1, 3, 15, 16, 17, 33, 1000, 131_071, 131_072, 400_003])
def test_every_size(n):
    for dtype in (np.float32, np.float64):
        x = np.arange(n, dtype=dtype)
        y = np.full(n + 2, -1, dtype)
        assert shifted.get(np.dtype(dtype).str[1:])(x, y[1:-1], n, 2.0)
        assert (y[1:-1] == x + 2).all() and y[0] == y[-1] == -1


@needs_llvm
def test_the_result_does_not_depend_on_the_number_of_threads():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 300, 1000)).astype(np.float32)
    before = threads.get_num_threads()
    found = []
    try:
        for number in (1, 2, 3, 2, 1):
            threads.set_num_threads(number)
            y, mean, rstd = fused.layer_norm(x, None, None, 1000, 1e-5)
            grads = fused.layer_norm_backward(g, x, None, mean, rstd, 1000)
            found.append((y, *grads, fused.total(x, 0), fused.total(x, None)))
    finally:
        threads.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


@needs_llvm
def test_many_python_threads_at_once():
    x = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    expected = fused.pointwise("exp", x)
    wrong = []

    def work():
        for _ in range(30):
            if not (fused.pointwise("exp", x) == expected).all():
                wrong.append(1)

    running = [threading.Thread(target=work) for _ in range(4)]
    for t in running:
        t.start()
    for t in running:
        t.join()
    assert not wrong


@needs_llvm
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_computes_too():
    out = in_new_process(
        """
        import os, warnings
        import numpy as np
        from flambeau.kernels import fused
        warnings.simplefilter("ignore")
        x = np.ones(1 << 20, np.float32)
        a = fused.pointwise("exp", x)
        child = os.fork()
        if child == 0:
            same = all((fused.pointwise("exp", x) == a).all() for _ in range(20))
            os._exit(0 if same else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (fused.pointwise("exp", x) == a).all())
    """,
        OMP_NUM_THREADS="2",
    )
    assert out == "0 True"


def test_thread_numbers():
    before = threads.get_num_threads()
    with pytest.raises(RuntimeError):
        threads.set_num_threads(0)
    with pytest.raises(TypeError):
        threads.set_num_threads(1.5)
    threads.set_num_threads(1)
    assert threads.get_num_threads() == 1
    threads.set_num_threads(before)
    code = "from flambeau.kernels import threads; print(threads.get_num_threads())"
    assert in_new_process(code, OMP_NUM_THREADS="3") == "3"


def test_without_llvm_everything_declines():
    out = in_new_process(
        """
        import sys
        import numpy as np
        from flambeau.kernels import fused
        x = np.ones((200, 200), np.float32)
        print(fused.softmax(x, -1), fused.pointwise("gelu", x), fused.total(x, 0), "llvmlite" in sys.modules)
    """,
        FLAMBEAU_BACKEND="numpy",
    )
    assert out == "None None None False"


def test_small_arrays_do_not_load_llvm():
    out = in_new_process("""
        import sys
        import numpy as np
        from flambeau.kernels import fused
        print(fused.softmax(np.ones((4, 4), np.float32), -1), "llvmlite" in sys.modules)
    """)
    assert out == "None False"


@needs_llvm
def test_kernel_names_are_unique():
    with pytest.raises(ValueError, match="declared twice"):
        kernel("x:T=n y:T!=n n add:d", work="n")(shifted.body)
