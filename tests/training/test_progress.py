"""Progress bars: what is shown where, at which widths, and that nothing is kept or broken by them."""

import gc
import io
import os
import pty
import subprocess
import sys
import textwrap
import weakref

import pytest
from training.small import data

import flambeau as torch
from flambeau.errors import ArgumentError, ArgumentTypeError
from flambeau.training import bars
from flambeau.training.lines import State, clock, columns, fitted, plain, rates


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        monkeypatch.setattr(bars.time, "perf_counter", lambda: self.now)


class Screen(io.StringIO):
    """A terminal of some width."""

    def isatty(self):
        return True


def state(**changes):
    given = {"desc": "epoch 3/16", "n": 281, "total": 938, "elapsed": 12.0, "rate": 23.4, "unit": "samples",
             "scale": 32, "metrics": {"loss": 0.34567, "acc": 0.971}}  # fmt: skip
    return State(**{**given, **changes})


@pytest.mark.parametrize("desc", ["epoch 3/16", "第三轮训练", ""])
@pytest.mark.parametrize("total", [938, None])
def test_a_line_fits_any_width(desc, total):
    for width in range(1, 140):
        assert columns(fitted(state(desc=desc, total=total), width)) <= width
    assert "|" in fitted(state(desc=desc), 120) and "|" not in fitted(state(desc=desc), 60)


def test_what_matters_stays_at_40_columns():
    line = fitted(state(), 39)
    assert "0:28" in line and "loss 0.346" in line and "epoch 3/16" in line
    assert fitted(state(metrics={}), 39) == "epoch 3/16: 30% [0:12<0:28, 749/s]"


def test_numbers():
    assert [clock(s) for s in (0, 61, 3661, 200000, float("nan"))] == ["0:00", "1:01", "1:01:01", "2d 7:33:20", "?"]
    assert rates(state(rate=0)) == ("", "") and rates(state(rate=0.2, scale=1, unit="it"))[0] == ", 5.0 s/it"
    assert rates(state(rate=40_000, scale=1))[1] == ", 40k/s" and rates(state(rate=1))[0] == ", 32 samples/s"
    odd = {"a": float("nan"), "b": torch.tensor(2.5), "c": "text", "d": 3, "e": torch.ones(2)}
    assert plain(state(metrics=odd)).endswith("a nan, b 2.5, c text, d 3, e [1. 1.]")


# ---------------------------------------------------------------------- loops


def test_it_gives_what_it_loops_over():
    for source in ([3, 1, 2], range(4), "abc", data()):
        assert len(list(torch.progress(source, file=io.StringIO()))) == len(source)
    assert list(torch.progress((i for i in range(3)), file=io.StringIO())) == [0, 1, 2]
    assert list(torch.progress([], file=io.StringIO())) == []
    bar = torch.progress(range(3), file=io.StringIO())
    assert list(bar) == list(bar) == [0, 1, 2] and len(bar) == 3


def test_samples_of_a_loader_are_counted(monkeypatch):
    time, file = Clock(monkeypatch), io.StringIO()
    for _ in torch.progress(data(48), "training", file=file):
        time.now += 0.5
    assert file.getvalue() == "training: 6/6 [0:03, 16 samples/s]\n"


def test_lines_of_a_file(monkeypatch):
    """One every ten seconds, later fewer; one at the end; no control characters."""
    time, file = Clock(monkeypatch), io.StringIO()
    bar = torch.progress(range(1000), "steps", file=file)
    for k in bar:
        time.now += 1.0
        bar.set(loss=1 / (1 + k))
    lines = file.getvalue().splitlines()
    assert 40 < len(lines) < 75 and not set(file.getvalue()) & set("\r\x1b")
    assert lines[0] == "steps: 1% 10/1000 [0:10<16:30, 1.0 it/s] loss 0.1"
    assert lines[-1] == "steps: 1000/1000 [16:40, 1.0 it/s] loss 0.001"


def test_nested_loops_in_a_file(monkeypatch):
    """An inner loop that takes long says where the outer one is; short ones say nothing."""
    time, file = Clock(monkeypatch), io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    for epoch in torch.progress(range(2), "epochs"):
        for _ in torch.progress(range(4), "batches"):
            time.now += 1.0 if epoch else 0.1
    assert file.getvalue().splitlines() == [
        "epochs 2/2, batches: 4/4 [0:04, 1.0 it/s]",
        "epochs: 2/2 [0:04, 2.2 s/it]",
    ]


def test_the_clock_is_hardly_looked_at(monkeypatch):
    looks = []
    now = [0.0]
    monkeypatch.setattr(bars.time, "perf_counter", lambda: looks.append(1) or now[0])
    for _ in torch.progress(range(100_000), file=Screen()):
        now[0] += 1e-4
    assert len(looks) < 1500  # ten seconds, ten drawings a second
    shown = Screen()
    del looks[:]
    for _ in torch.progress(range(20), file=shown):
        now[0] += 1.0
    assert shown.getvalue().count("\r") >= 20  # slow rounds are all shown


def test_graphs_are_not_kept():
    x = torch.ones(3, requires_grad=True)
    bar = torch.progress(range(1), file=io.StringIO())
    loss = (x * 2).sum()
    node = weakref.ref(loss.grad_fn)
    bar.set(loss=loss)
    del loss
    gc.collect()
    assert node() is None and float(bar.metrics["loss"]) == 6.0


def test_metrics_are_read_when_they_are_drawn():
    class Number:
        reads = 0
        size = 1

        def item(self):
            Number.reads += 1
            return 1.0

    bar = torch.progress(range(1000), file=io.StringIO())
    for _ in bar:
        bar.set(loss=Number())
    assert Number.reads == 1


def test_leaving_a_loop(monkeypatch):
    """A break or an error ends the line, and the next bar is not nested in the one that has ended."""
    for error in (None, ValueError):
        screen = Screen()
        try:
            for k in torch.progress(range(10), "first", file=screen):
                if k == 3:
                    if error is None:
                        break
                    raise error
        except ValueError:
            pass
        assert screen.getvalue().endswith("\n") and "3/10" in screen.getvalue() and not bars._open


def test_counting_by_hand():
    file = io.StringIO()
    with torch.progress(total=10, desc="files", file=file) as bar:
        for _ in range(5):
            bar.update(2)
    assert file.getvalue().startswith("files: 10/10") and bar.n == 10
    with pytest.raises(ArgumentTypeError, match="nothing to loop over"):
        iter(bar).__next__()
    bar = torch.progress(range(3), disable=True, file=file)
    assert list(bar) == [0, 1, 2] and file.getvalue().count("\n") == 1


def test_what_cannot_be_meant():
    with pytest.raises(ArgumentTypeError, match="something to loop over, not int") as caught:
        torch.progress(100)
    assert caught.value.fix == "use `progress(range(100))`"
    with pytest.raises(ArgumentError, match="total=-1"):
        torch.progress([], total=-1)
    with pytest.raises(ArgumentTypeError, match="length of this progress"):
        len(torch.progress(i for i in range(3)))


def test_in_a_notebook(monkeypatch):
    """With widgets, tqdm's own; here without a notebook, their place is taken."""
    drawn = []

    class Widget(bars.Lines):
        def draw(self, state):
            drawn.append(state.n)

        def close(self, state):
            drawn.append(state.n)

    monkeypatch.setattr(bars, "_notebook", lambda: Widget)
    list(torch.progress(range(3)))
    assert drawn[0] == 0 and drawn[-1] == 3


# ---------------------------------------------------------------------- real terminals

PROGRAM = """
    import sys, warnings
    import flambeau as torch
    for epoch in torch.progress(range(2), "轮次"):
        for k in torch.progress(range(50), "inner"):
            if k == 20:
                print("printed", epoch)
                print("in two ", end="")
                print("parts")
    warnings.warn("careful")
    try:
        for k in torch.progress(range(9), "fails"):
            raise ValueError
    except ValueError:
        print("caught", type(sys.stdout).__name__)
"""


def screen(text):
    """What a terminal shows after some output."""
    rows, row, column = [""], 0, 0
    k = 0
    while k < len(text):
        letter = text[k]
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif text.startswith("\x1b[A", k):
            row, k = row - 1, k + 2
        else:
            rows[row] = rows[row][:column].ljust(column) + letter + rows[row][column + 1 :]
            column += 1
        k += 1
    return [line.rstrip() for line in rows]


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_prints_go_above_the_bars(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    master, slave = pty.openpty()
    child = subprocess.Popen([sys.executable, str(program)], stdout=slave, stderr=slave, stdin=slave)
    os.close(slave)
    output = b""
    while True:
        try:
            read = os.read(master, 65536)
        except OSError:
            break
        if not read:
            break
        output += read
    child.wait()
    os.close(master)
    shown = screen(output.decode())
    assert shown[:4] == ["printed 0", "in two parts", "printed 1", "in two parts"]
    assert shown[4].startswith("轮次: 100%") and "UserWarning: careful" in shown[5]
    assert shown[-3].startswith("fails:   0%") and shown[-2:] == ["caught TextIOWrapper", ""]
