"""`flambeau.Run`: what is recorded, where, and what happens when something goes wrong."""

import argparse
import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import types
import warnings
from pathlib import Path

import numpy as np
import pytest

import flambeau as torch
from flambeau import record
from flambeau.errors import ArgumentError, ArgumentTypeError, CannotWrite, MissingFile, StateError


def data_of(page):
    """What the page's script reads."""
    text = page.read_text(encoding="utf-8")
    start = text.index('id="data">') + len('id="data">')
    return json.loads(text[start : text.index("</script>", start)])


def run_of(page):
    return data_of(page)["runs"][0]


def test_a_run_leaves_its_page_and_its_numbers(tmp_path):
    with torch.Run(tmp_path / "first", config={"lr": 0.1}) as run:
        for step in range(5):
            run.log(loss=torch.tensor(1 / (step + 1)), step=step)
            run.log({"train": {"accuracy": np.float32(0.5)}}, step=step)
    shown = run_of(run.page)
    assert shown["status"] == "finished" and shown["config"] == {"lr": 0.1} and shown["steps"] == 5
    assert [m["name"] for m in shown["metrics"]] == ["loss", "train/accuracy"]
    assert shown["metrics"][0]["value"] == pytest.approx([1, 0.5, 1 / 3, 0.25, 0.2], rel=1e-5)
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert lines[0]["values"] == {"loss": 1.0} and lines[-1]["step"] == 4


def test_steps_count_themselves(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        for _ in range(3):
            run.log(loss=1.0)
        run.log(loss=1.0, step=torch.tensor(10))
        run.log(loss=1.0)
    assert record.load(run.folder).values("loss")[0].tolist() == [0, 1, 2, 10, 11]


def test_a_step_that_another_thread_has_taken_is_not_used_again(tmp_path):
    run = torch.Run(tmp_path / "run")

    class Slow:
        def __float__(self):  # while this number is being read, another thread logs
            other = threading.Thread(target=run.log, kwargs={"other": 2.0})
            other.start()
            other.join()
            return 1.0

    with run:
        run.log(slow=Slow())
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(x["step"], x["values"]) for x in lines if "step" in x] == [(0, {"other": 2.0}), (1, {"slow": 1.0})]


def test_values_that_are_not_finite_are_kept(tmp_path):
    given = [1.0, math.nan, math.inf, -math.inf, 2.0]
    with torch.Run(tmp_path / "run") as run:
        for value in given:
            run.log(loss=value)
    np.testing.assert_array_equal(record.load(run.folder).values("loss")[1], given)
    shown = run_of(run.page)["metrics"][0]
    assert [m[2] for m in shown["marks"]] == ["NaN", "Infinity", "-Infinity"] and shown["strange"] == 3
    assert shown["low"] == [0, 1] and shown["high"] == [4, 2] and shown["value"] == [1, 2]


@dataclasses.dataclass
class Settings:
    lr: float = 0.1
    sizes: tuple = (64, 10)


@pytest.mark.parametrize(
    "config", [{"lr": 0.1, "sizes": [64, 10]}, Settings(), argparse.Namespace(lr=0.1, sizes=(64, 10))]
)
def test_forms_of_configuration(config, tmp_path):
    with torch.Run(tmp_path / "run", config=config) as run:
        run.add_config({"best": math.inf}, dtype=torch.float32)
    assert record.load(run.folder).config == {"lr": 0.1, "sizes": [64, 10], "best": "inf", "dtype": "torch.float32"}


def test_environment_seeds_and_code(tmp_path):
    torch.manual_seed(1234)
    with torch.Run(tmp_path / "run") as run:
        torch.rand(1)
    state = json.loads((run.folder / "run.json").read_text())
    assert state["environment"]["flambeau"] == torch.__version__ and state["packages"]["numpy"] == np.__version__
    assert state["seeds"]["flambeau seed"] == "1234"
    assert state["seeds"]["flambeau state"] != state["seeds at the end"]["flambeau state"]
    assert state["seeds"]["NumPy state"] == state["seeds at the end"]["NumPy state"]


def program(tmp_path, body, name="train.py"):
    """A program of a user's in a folder of its own."""
    path = tmp_path / "project" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(textwrap.dedent(body), encoding="utf-8")
    return path


def ran(path, *words):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, str(path), *words], cwd=path.parent, env=env, capture_output=True, text=True)


def test_the_program_and_its_repository(tmp_path):
    path = program(
        tmp_path,
        """
        import helper
        import flambeau
        with flambeau.Run("run"):
            pass
        """,
    )
    program(tmp_path, "WIDTH = 64\n", "helper.py")
    git = ["git", "-C", str(path.parent), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "train.py"], ["commit", "-qm", "first 版本"]):
        subprocess.run([*git, *words], check=True)
    path.write_text(path.read_text() + "# changed\n")
    done = ran(path, "--lr", "0.1 x")
    assert done.returncode == 0, done.stderr
    state = json.loads((path.parent / "run" / "run.json").read_text())
    assert [f["name"] for f in state["code"]] == ["train.py", "helper.py"]
    assert state["code"][0]["text"].endswith("# changed\n") and state["code"][1]["text"] == "WIDTH = 64\n"
    assert state["repository"]["subject"] == "first 版本" and len(state["repository"]["commit"]) == 40
    assert "helper.py" in state["repository"]["changes"] and "+# changed" in state["repository"]["patch"]
    assert state["environment"]["command"].endswith("train.py --lr '0.1 x'")


def test_the_library_is_not_the_program(tmp_path, monkeypatch):
    command = types.ModuleType("__main__")  # as `python -m flambeau` has it
    command.__file__ = str(Path(torch.__file__).with_name("__main__.py"))
    monkeypatch.setitem(sys.modules, "__main__", command)
    with torch.Run(tmp_path / "run") as run:
        pass
    assert [file["name"] for file in run.record.state["code"]] == ["__main__.py"]


def test_the_program_is_recorded_as_it_began(tmp_path):
    path = program(
        tmp_path,
        """
        import flambeau
        with flambeau.Run("run"):
            open(__file__, "a").write("# edited meanwhile")
            import later
        """,
    )
    program(tmp_path, "HERE = True\n", "later.py")
    assert ran(path).returncode == 0
    first, second = record.load(path.parent / "run").state["code"]
    assert 'meanwhile")' in first["text"] and not first["text"].endswith("meanwhile")
    assert second["name"] == "later.py"


def test_an_error_is_recorded_and_comes_through(tmp_path):
    with pytest.raises(ZeroDivisionError), torch.Run(tmp_path / "run") as run:
        run.log(loss=1.0)
        1 / 0
    shown = run_of(run.page)
    assert shown["status"] == "failed" and shown["failure"]["type"] == "ZeroDivisionError"
    assert "1 / 0" in shown["failure"]["trace"] and len(shown["metrics"]) == 1


def test_an_interruption_is_recorded(tmp_path):
    with pytest.raises(KeyboardInterrupt), torch.Run(tmp_path / "run") as run:
        raise KeyboardInterrupt
    assert record.load(run.folder).status == "interrupted"
    with pytest.raises(SystemExit), torch.Run(tmp_path / "other") as run:
        sys.exit(0)
    assert record.load(run.folder).status == "finished"


def test_a_program_that_never_closes_its_run(tmp_path):
    body = "import flambeau\nrun = flambeau.Run('run')\nrun.log(loss=1.0)\n"
    ran(program(tmp_path, body))
    assert record.load(tmp_path / "project" / "run").status == "finished"
    ran(program(tmp_path, body + "raise ValueError('bad')\n"))
    failed = record.load(tmp_path / "project" / "run-2")
    assert failed.status == "failed" and failed.state["failure"]["message"] == "bad"


def test_a_killed_run_has_its_page_and_all_its_numbers(tmp_path):
    path = program(
        tmp_path,
        """
        import os, signal, flambeau
        with flambeau.Run("run", interval=1e-9) as run:
            for step in range(100):
                run.log(loss=step, step=step)
                if step == 50:
                    run.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    assert ran(path).returncode == -signal.SIGKILL
    folder = path.parent / "run"
    shown = run_of(folder / "index.html")
    assert shown["status"] == "running" and shown["metrics"][0]["count"] >= 51
    found = record.load(folder)
    assert found.status == "killed" and found.values("loss")[1].tolist() == list(range(100))
    found.write()
    assert run_of(folder / "index.html")["metrics"][0]["count"] == 100


def test_a_record_is_never_written_over(tmp_path, capsys):
    for number in range(3):
        with torch.Run(tmp_path / "first", config={"number": number}) as run:
            run.log(loss=float(number))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "first-2", "first-3"]
    assert run.folder.name == "first-3" and "is recorded in" in capsys.readouterr().err
    assert [record.load(p).config["number"] for p in sorted(tmp_path.iterdir())] == [0, 1, 2]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "index.html").write_text("my own page")
    with torch.Run(tmp_path / "mine") as run:
        pass
    assert run.folder.name == "mine-2" and (tmp_path / "mine" / "index.html").read_text() == "my own page"


def test_a_record_is_continued(tmp_path):
    with torch.Run(tmp_path / "run", config={"lr": 0.1, "epochs": 5}) as run:
        for step in range(10):
            run.log(loss=float(step), step=step)
    with torch.Run(tmp_path / "run", config={"lr": 0.01}, resume=True) as run:
        for step in range(5, 12):  # from a checkpoint at step 5
            run.log(loss=100.0 + step, step=step)
    shown = run_of(run.page)
    assert len(shown["sessions"]) == 2 and shown["config"] == {"lr": 0.01, "epochs": 5}
    assert shown["metrics"][0]["value"] == [0, 1, 2, 3, 4, *range(105, 112)]
    assert shown["metrics"][0]["high"] == [11, 111]
    times = shown["metrics"][0]["time"]
    again = record.load(run.folder)
    assert times == sorted(times) and again.values("loss")[1].tolist() == shown["metrics"][0]["value"]
    assert again.metrics.plain()[0]["value"] == shown["metrics"][0]["value"]


def test_a_damaged_description_is_kept_aside(tmp_path):
    with torch.Run(tmp_path / "run", config={"lr": 0.1}) as run:
        run.log(loss=1.0)
    (run.folder / "run.json").write_text("{ half of")
    with pytest.warns(UserWarning, match="is kept as run.damaged.json"):
        again = torch.Run(run.folder, resume=True)
    with again:
        again.log(loss=2.0)
    assert (run.folder / "run.damaged.json").read_text() == "{ half of"
    assert record.load(run.folder).values("loss")[1].tolist() == [1, 2]


def test_two_processes_do_not_share_a_record(tmp_path):
    with torch.Run(tmp_path / "run"):
        body = f"import flambeau\nflambeau.Run({str(tmp_path / 'run')!r}, resume=True)\n"
        done = ran(program(tmp_path, body))
        assert done.returncode == 1 and "another process is writing the record" in done.stderr
        with pytest.raises(StateError, match="another process"):
            torch.Run(tmp_path / "run", resume=True)


def test_folders_that_cannot_be(tmp_path):
    taken = tmp_path / "file"
    taken.write_text("")
    with pytest.raises(CannotWrite, match="cannot be written to") as caught:
        torch.Run(taken / "run")
    assert caught.value.why and caught.value.fix
    with pytest.raises(CannotWrite):
        torch.Run(taken)
    with pytest.raises(CannotWrite):
        torch.Run(str(tmp_path / "a\0b"))
    with pytest.raises(ArgumentTypeError, match="not int"):
        torch.Run(3)
    with pytest.raises(ArgumentError):
        torch.Run("")
    with pytest.raises(ArgumentTypeError, match="by name, not str"):
        torch.Run(tmp_path / "run", config="lr=0.1")
    with pytest.raises(ArgumentError, match="interval"):
        torch.Run(tmp_path / "run", interval=0)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_stops_nothing(tmp_path, monkeypatch):
    run = torch.Run(tmp_path / "run")
    write = os.write

    def full(file, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        run.log(loss=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.log(loss=2.0)  # said once
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:7]))  # a little room again, then more
    run.log(loss=3.0)
    monkeypatch.setattr(os, "write", write)
    run.close()
    assert record.load(run.folder).values("loss")[1].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"loss": torch.ones(3)}, r"'loss' has shape \(3,\)"),
        ({"loss": "0.5"}, "'loss' is '0.5'"),
        ({"loss": None}, "'loss' is None"),
        ({"loss": 1j}, "'loss' is 1j"),
        ({"loss": [1.0]}, "'loss' is"),
        ({3: 1.0}, "names that are texts"),
        ({"": 1.0}, "names that are texts"),
        ([1.0], "numbers by name, not list"),
    ],
)
def test_what_cannot_be_logged(values, message, tmp_path):
    with torch.Run(tmp_path / "run") as run, pytest.raises(ArgumentTypeError, match=message):
        run.log(values)
    assert (run.folder / "metrics.jsonl").read_text() == ""


def test_steps_that_are_none(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        with pytest.raises(ArgumentError, match=r"step=1e\+30 is too large"):
            run.log(loss=1.0, step=10**30)
        with pytest.raises(ArgumentTypeError, match="not a whole number"):
            run.log(loss=1.0, step=0.5)
    with pytest.raises(StateError, match="has ended"):
        run.log(loss=1.0)


def test_reading_what_is_not_there(tmp_path):
    with pytest.raises(MissingFile, match="no record of a run"):
        record.load(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(ArgumentError, match="not the record of a run"):
        record.load(tmp_path)
    (tmp_path / "run.json").write_text('{"version": 99}')
    with pytest.raises(ArgumentError, match="version 99"):
        record.load(tmp_path)
    with torch.Run(tmp_path / "run") as run:
        run.log(loss=1.0)
    with pytest.raises(KeyError, match="has no metric 'acc'"):
        record.load(run.page).values("acc")


@pytest.mark.parametrize(
    "line",
    ["[]", "3", "{}", '{"step":1}', '{"step":"x","time":0,"values":{"loss":2}}', '{"step":1,"time":0,"values":[1]}',
     '{"step":1,"time":0,"values":{"loss":"two"}}', '{"step":1,"time":null,"values":{"loss":2}}'],
)  # fmt: skip
def test_a_line_that_holds_no_numbers_is_left_out(tmp_path, line):
    with torch.Run(tmp_path / "run") as run:
        run.log(loss=1.0)
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write(line + "\n")
    again = record.load(run.folder)
    assert again.values("loss")[1].tolist() == again.metrics.plain()[0]["value"] == [1.0]


def test_a_line_that_was_cut_off_is_left_out(tmp_path):
    with torch.Run(tmp_path / "run") as run:
        run.log(loss=1.0)
    with open(run.folder / "metrics.jsonl", "a") as file:
        file.write('{"step":1,"time":0.1,"val')
    assert record.load(run.folder).values("loss")[1].tolist() == [1.0]
    with torch.Run(run.folder, resume=True) as run:
        run.log(loss=2.0)
    assert record.load(run.folder).values("loss")[1].tolist() == [1.0, 2.0]


def test_findings_are_recorded_with_their_translations(tmp_path):
    model = torch.nn.Linear(4, 3)
    with torch.Run(tmp_path / "run") as run, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run.watch(model)
        scores = torch.softmax(model(torch.randn(8, 4)), 1)
        torch.nn.functional.cross_entropy(scores, torch.randint(0, 3, (8,))).backward()
    doctor = run_of(run.page)["doctor"]
    found = {f["code"]: f for f in doctor["findings"]}
    assert set(found["FB-LOSS-01"]["title"]) == {"en", "zh_CN", "zh_TW"} and "page" in found["FB-LOSS-01"]
    assert [f["code"] for f in doctor["findings"]].count("FB-LOSS-01") == 1
