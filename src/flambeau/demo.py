"""`flambeau demo`: train a small convolutional network on handwritten digits, and report on it in a folder.

Reads like the program a user would write: data, model, loop, best checkpoint, test, pictures. The digits of the UCI
data set come with the package, so nothing is downloaded unless `--data mnist` or `--data fashion-mnist` asks for it.
"""

import argparse
import base64
import html
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import flambeau as fb
from flambeau import nn, viz
from flambeau.arguments import Parser
from flambeau.errors import MissingDependency
from flambeau.language import line, part
from flambeau.language import text as _
from flambeau.utils.data import DataLoader, random_split
from flambeau.vision import datasets, transforms
from flambeau.viz.tiles import tiles

__all__ = ["main"]

SOURCES = {
    "digits": "UCI handwritten digits (Alpaydin and Kaynak, CC BY 4.0), 8 x 8, embedded in the package",
    "mnist": "MNIST handwritten digits (LeCun, Cortes, Burges), 28 x 28",
    "fashion-mnist": "Fashion-MNIST articles of clothing (Xiao, Rasul, Vollgraf), 28 x 28",
}


@dataclass
class Setting:
    """What the training depends on."""

    data: str
    epochs: int
    batch_size: int
    lr: float
    seed: int
    patience: int


@dataclass
class History:
    """One number per epoch."""

    train_loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    images_per_second: list[float] = field(default_factory=list)


class SmallConvNet(nn.Module):
    """Two blocks of convolution, normalisation, ReLU and pooling; then two linear layers.

    Shapes: (N, 1, size, size) -> (N, classes)
    """

    def __init__(self, size: int, classes: int) -> None:
        super().__init__()
        large = size >= 16
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2) if large else nn.Identity(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        side = size // (4 if large else 2)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(32 * side * side, 64),
            nn.ReLU(),
            nn.Linear(64, classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x))


def load(name: str, root: str, seed: int) -> tuple[Any, Any, Any, list[str]]:
    """Training, validation and test set, and the names of the classes."""
    mean, std = {"digits": (0.305, 0.376), "mnist": (0.1307, 0.3081), "fashion-mnist": (0.286, 0.353)}[name]
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    train: Any
    val: Any
    if name == "digits":
        train, val, test = (datasets.Digits(split, transform) for split in ("train", "val", "test"))
        return train, val, test, datasets.Digits.classes
    kind = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    whole = kind(root, train=True, transform=transform, download=True)
    held = max(1, len(whole) // 12)
    train, val = random_split(whole, [len(whole) - held, held], fb.Generator().manual_seed(seed))
    names = [name.split(" - ")[0] for name in kind.classes]
    return train, val, kind(root, train=False, transform=transform), names


def train_epoch(model, loader, loss_fn, optimizer, tick) -> tuple[float, float]:
    """One pass over the training set; mean loss and accuracy."""
    model.train()
    total = correct = seen = 0
    for images, labels in loader:
        scores = model(images)
        loss = loss_fn(scores, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        seen += len(labels)
        total += loss.item() * len(labels)
        correct += (scores.argmax(1) == labels).sum().item()
        tick(len(labels), total / seen, correct / seen)
    return total / seen, correct / seen


def predict(model, loader) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels of a whole data set, in evaluation mode."""
    model.eval()
    scores, labels = [], []
    with fb.no_grad():
        for images, target in loader:
            scores.append(model(images).numpy())
            labels.append(target.numpy())
    return np.concatenate(scores), np.concatenate(labels)


def evaluate(model, loader, loss_fn) -> tuple[float, float]:
    """Loss and accuracy of a data set."""
    scores, labels = predict(model, loader)
    loss = loss_fn(fb.from_numpy(scores), fb.from_numpy(labels)).item()
    return loss, float((scores.argmax(1) == labels).mean())


@contextmanager
def progress_bar(console: Console, epochs: int, images: int) -> Iterator:
    """Yields a function (epoch, images done, loss, accuracy): a live bar on a terminal, silent elsewhere."""
    if not console.is_terminal:
        yield lambda *_: None
        return
    epoch, numbers = (
        TextColumn("epoch {task.fields[epoch]}"),
        "loss {task.fields[loss]:.4f}  acc {task.fields[accuracy]:.2%}",
    )
    rest = (TextColumn(numbers + "  {task.fields[rate]:,.0f} img/s  ETA"), TimeRemainingColumn())
    columns: tuple = (epoch, BarColumn(), MofNCompleteColumn(), *rest)
    if console.width < 60:  # what matters most, whole, rather than everything cut short
        columns = (TextColumn("{task.fields[epoch]} " + numbers), TimeRemainingColumn(compact=True))
    elif console.width < 85:
        columns = (epoch, *rest)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=images * epochs, epoch=f"1/{epochs}", loss=0.0, accuracy=0.0, rate=0.0)
        start = time.perf_counter()

        def show(epoch: int, done: int, loss: float, accuracy: float) -> None:
            rate = ((epoch - 1) * images + done) / max(time.perf_counter() - start, 1e-9)
            name = f"{epoch}/{epochs}"
            completed = (epoch - 1) * images + done
            bar.update(task, completed=completed, epoch=name, loss=loss, accuracy=accuracy, rate=rate)

        yield show


def fit(model, train: Any, val: Any, setting: Setting, checkpoint: Path, console: Console) -> History:
    """Train with early stopping; the best model by validation loss is kept in `checkpoint`."""
    train_loader = DataLoader(train, batch_size=setting.batch_size, shuffle=True)
    val_loader = DataLoader(val, batch_size=512)
    loss_fn = nn.CrossEntropyLoss()
    optimizer = fb.optim.Adam(model.parameters(), lr=setting.lr)
    scheduler = fb.optim.lr_scheduler.CosineAnnealingLR(optimizer, setting.epochs)
    history, best, waited = History(), float("inf"), 0
    with progress_bar(console, setting.epochs, len(train)) as show:
        for epoch in range(1, setting.epochs + 1):
            start, done = time.perf_counter(), 0

            def tick(count: int, loss: float, accuracy: float, epoch: int = epoch) -> None:
                nonlocal done
                done += count
                show(epoch, done, loss, accuracy)

            loss, accuracy = train_epoch(model, train_loader, loss_fn, optimizer, tick)
            rate = len(train) / (time.perf_counter() - start)
            val_loss, val_accuracy = evaluate(model, val_loader, loss_fn)
            scheduler.step()
            for name, value in zip(asdict(history), (loss, accuracy, val_loss, val_accuracy, rate), strict=True):
                getattr(history, name).append(value)
            better = val_loss < best
            if better:
                best, waited = val_loss, 0
                state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
                fb.save({**state, "val_loss": val_loss, "val_accuracy": val_accuracy}, checkpoint)
            else:
                waited += 1
            console.print(
                _(
                    f"epoch {epoch:2d}/{setting.epochs}  loss {loss:.4f}  acc {accuracy:6.2%}  "
                    f"val loss {val_loss:.4f}  val acc {val_accuracy:6.2%}  {rate:8,.0f} img/s"
                )
                + ("  *" if better else ""),
                highlight=False,
            )
            if waited >= setting.patience:
                console.print(_(f"stopped early: no better validation loss for {waited} epochs"), highlight=False)
                break
    return history


# ---------------------------------------------------------------------- pictures and report


def draw_samples(images, probabilities: np.ndarray, labels: np.ndarray, names: list[str]) -> Any:
    """The surest mistakes, then the least certain of the others, each with what was predicted, as a figure."""
    predicted = probabilities.argmax(1)
    order = np.argsort(probabilities.max(1))
    mistakes = order[predicted[order] != labels[order]]
    wrong = mistakes[::-1][:12]
    shown = [*wrong, *order[predicted[order] == labels[order]][: 24 - len(wrong)]]
    captions = [f"{names[predicted[k]]} ({probabilities[k].max():.0%})" for k in shown]
    captions[: len(wrong)] = [f"{names[predicted[k]]}, not {names[labels[k]]}" for k in wrong]
    title = f"{len(wrong)} of {len(mistakes)} mistakes (red), then the" if len(wrong) else "No mistakes; the"
    red = [k < len(wrong) for k in range(len(shown))]
    pixels = [images[k] / images.max() for k in shown]
    return tiles(pixels, captions, red, columns=6, title=f"{title} least certain test images, with predictions")


def pictures(out: Path, history: History, test: Any, probabilities, labels, names) -> list[tuple[str, Path]]:
    """Draw all pictures that can be drawn; (title, path) of each."""
    curves = {name: numbers for name, numbers in asdict(history).items() if name != "images_per_second"}
    try:
        made = [
            (_("Loss and accuracy"), "curves.png", viz.learning_curves(curves)),
            (_("Confusion matrix"), "confusion.png", viz.confusion_matrix(probabilities, labels, names)),
            (_("Sample predictions"), "samples.png", draw_samples(test.data.numpy(), probabilities, labels, names)),
        ]
    except MissingDependency:
        return []
    for _title, name, figure in made:
        figure.savefig(out / name, dpi=110)
    return [(title, out / name) for title, name, _figure in made]


COLUMNS = (part("class"), part("images"), part("found"), part("precision"))
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse }} td, th {{ padding: .2rem .8rem; border-bottom: 1px solid #ddd }}
td, th {{ text-align: right }}
th:first-child, td:first-child {{ text-align: left }} img {{ max-width: 100% }}
.big {{ font-size: 2.2rem; font-weight: 600 }}
</style>
<h1>{title}</h1>
<p>{source}</p>
<p class="big">{accuracy:.2%} <span style="font-size:1rem;font-weight:400">{of_images}</span></p>
<table>{facts}</table>
{figures}
<h2>{each_class}</h2>
<table><tr>{head}</tr>{classes}</table>
"""


def write_report(out: Path, setting: Setting, facts: dict, table: np.ndarray, names: list[str], figures) -> Path:
    """One self-contained page."""

    def rows(pairs) -> str:
        cells = ("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in pairs)
        return "\n".join(cells)

    shown = []
    for title, path in figures:
        data = base64.b64encode(path.read_bytes()).decode()
        shown.append(f'<h2>{title}</h2>\n<img alt="{title}" src="data:image/png;base64,{data}">')
    if not shown:
        shown.append("<p>" + _("No pictures: matplotlib is not installed (pip install 'flambeau[viz]').") + "</p>")
    per_class = []
    for k, name in enumerate(names):
        found, given = table[k].sum(), table[:, k].sum()
        per_class.append((name, int(found), f"{table[k, k] / max(found, 1):.1%}", f"{table[k, k] / max(given, 1):.1%}"))
    path = out / "report.html"
    path.write_text(
        PAGE.format(
            title=f"flambeau demo: {setting.data}",
            of_images=_(f"of {facts['test images']:,} test images"),
            each_class=_("Each class"),
            head="".join(f"<th>{_(name)}</th>" for name in COLUMNS),  # not a message
            source=html.escape(_(SOURCES[setting.data])),
            accuracy=facts["test accuracy"],
            facts=rows((_(str(k)), f"{v:.4g}" if isinstance(v, float) else v) for k, v in facts.items()),
            figures="\n".join(shown),
            classes=rows(per_class),
        ),
        encoding="utf-8",
    )
    return path


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = Parser(
        prog="flambeau demo", description=_("Train a small convolutional network on images and report on it.")
    )
    parser.add_argument(
        "--data", choices=list(SOURCES), default="digits", help=_("data set (default: digits, embedded)")
    )
    parser.add_argument("--root", default="data", help=_("folder of the MNIST files (default: ./data)"))
    parser.add_argument("--out", help=_("folder for the results (default: runs/demo-<time>)"))
    parser.add_argument(
        "--epochs", type=positive, help=_("at most so many epochs (default: 16, or 3 for the MNIST sets)")
    )
    parser.add_argument("--batch-size", type=positive, help=_("images per step (default: 32, or 128)"))
    parser.add_argument("--lr", type=float, default=3e-3, help=_("learning rate (default: 0.003)"))
    parser.add_argument("--seed", type=int, default=0, help=_("random seed (default: 0)"))
    parser.add_argument("--patience", type=positive, default=5, help=_("stop after so many epochs without improvement"))
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status.

    Arguments:
        argv: command line arguments. Default: those of the process.
    """
    options = parse(argv)
    console = Console(soft_wrap=True)
    small = options.data == "digits"
    setting = Setting(
        data=options.data,
        epochs=options.epochs or (16 if small else 3),
        batch_size=options.batch_size or (32 if small else 128),
        lr=options.lr,
        seed=options.seed,
        patience=options.patience,
    )
    started = time.perf_counter()
    fb.manual_seed(setting.seed)
    try:
        train, val, test, names = load(setting.data, options.root, setting.seed)
    except (RuntimeError, OSError) as error:
        print(f"flambeau demo: {error}", file=sys.stderr)
        return 1
    out = Path(options.out or f"runs/demo-{time.strftime('%Y%m%d-%H%M%S')}").resolve()
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):  # before the training, not after it
            pass
    except OSError as error:
        print(_(f"flambeau demo: cannot write results to {out}: {error.strerror}"), file=sys.stderr)
        print(line(_("fix:"), _("--out with a folder that you may write to")), file=sys.stderr)
        return 1
    size = test[0][0].shape[-1] if not small else 8
    model = SmallConvNet(size, len(names))
    parameters = sum(p.numel() for p in model.parameters())
    console.print(_(SOURCES[setting.data]), highlight=False)
    console.print(
        _(
            f"{len(train):,} training, {len(val):,} validation, {len(test):,} test images; "
            f"{parameters:,} parameters; seed {setting.seed}"
        ),
        highlight=False,
    )

    checkpoint = out / "best.pt"
    history = fit(model, train, val, setting, checkpoint, console)

    best = SmallConvNet(size, len(names))
    stored = fb.load(checkpoint)
    best.load_state_dict(stored["model"])
    scores, labels = predict(best, DataLoader(test, batch_size=512))
    probabilities = fb.softmax(fb.from_numpy(scores), 1).numpy()
    predicted = scores.argmax(1)
    accuracy = float((predicted == labels).mean())
    table = viz.confusion_counts(predicted, labels, len(names)).numpy()
    facts = {
        part("data"): setting.data,
        part("training images"): len(train),
        part("validation images"): len(val),
        part("test images"): len(test),
        part("parameters"): parameters,
        part("epochs run"): len(history.train_loss),
        part("best epoch"): stored["epoch"],
        part("validation accuracy"): stored["val_accuracy"],
        part("test accuracy"): accuracy,
        part("images per second"): float(np.median(history.images_per_second)),
        part("seconds"): time.perf_counter() - started,
        part("seed"): setting.seed,
        "flambeau": fb.__version__,
    }
    (out / "metrics.json").write_text(
        json.dumps({"setting": asdict(setting), "facts": facts, "history": asdict(history)}, indent=2)
    )
    figures = pictures(out, history, test, probabilities, labels, names)
    report = write_report(out, setting, facts, table, names, figures)

    wrong = int((predicted != labels).sum())
    console.print(
        _(
            f"test accuracy {accuracy:.2%} ({wrong} of {len(labels):,} wrong), best epoch {stored['epoch']} "
            f"reloaded from {checkpoint.name}; {time.perf_counter() - started:.1f} s in all"
        ),
        highlight=False,
    )
    if not figures:
        console.print(_("no pictures: pip install 'flambeau[viz]' for matplotlib"), highlight=False, markup=False)
    print(_(f"results in {out}"))
    print(_(f"open {report}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
