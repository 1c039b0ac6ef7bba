"""`flambeau demo`: train a small convolutional network on handwritten digits, and report on it on one page.

Reads like the program a user would write: data, model, `fit`, the best weights, the test, pictures, all in a
`flambeau.Run`. The digits of the UCI data set come with the package, so nothing is downloaded unless `--data mnist` or
`--data fashion-mnist` asks for it.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import flambeau as fb
from flambeau import nn, optim, viz
from flambeau.arguments import Parser
from flambeau.errors import GradientError, MissingDependency
from flambeau.language import line, part
from flambeau.language import text as _
from flambeau.training import Checkpoint, EarlyStopping, accuracy
from flambeau.utils.data import DataLoader, random_split
from flambeau.vision import datasets, transforms
from flambeau.viz.tiles import tiles

__all__ = ["main"]

SOURCES = {
    "digits": "UCI handwritten digits (Alpaydin and Kaynak, CC BY 4.0), 8 x 8, embedded in the package",
    "mnist": "MNIST handwritten digits (LeCun, Cortes, Burges), 28 x 28",
    "fashion-mnist": "Fashion-MNIST articles of clothing (Xiao, Rasul, Vollgraf), 28 x 28",
}
# Mean and standard deviation of the pixels
SCALE = {"digits": (0.305, 0.376), "mnist": (0.1307, 0.3081), "fashion-mnist": (0.286, 0.353)}


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
    mean, std = SCALE[name]
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((mean,), (std,))])
    if name == "digits":
        train, val, test = (datasets.Digits(split, transform) for split in ("train", "val", "test"))
        return train, val, test, datasets.Digits.classes
    kind = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    whole = kind(root, train=True, transform=transform, download=True)
    held = max(1, len(whole) // 12)
    parts = random_split(whole, [len(whole) - held, held], fb.Generator().manual_seed(seed))
    names = [name.split(" - ")[0] for name in kind.classes]
    return parts[0], parts[1], kind(root, train=False, transform=transform), names


def predict(model: nn.Module, loader: DataLoader) -> tuple[fb.Tensor, fb.Tensor, fb.Tensor]:
    """Images, scores and labels of a whole data set, in evaluation mode."""
    model.eval()
    with fb.no_grad():
        seen = [(images, model(images), labels) for images, labels in loader]
    images, scores, labels = (fb.cat(part) for part in zip(*seen))
    return images, scores, labels


def train(model: nn.Module, data: tuple[Any, Any], options: argparse.Namespace, out: Path, run: fb.Run) -> Any:
    """Train with early stopping; the state of the best epoch is kept in `best.pt`. The history."""
    optimizer = optim.Adam(model.parameters(), lr=options.lr)
    return fb.fit(
        model,
        DataLoader(data[0], batch_size=options.batch_size, shuffle=True),
        nn.CrossEntropyLoss(),
        optimizer,
        epochs=options.epochs,
        val_loader=DataLoader(data[1], batch_size=512),
        metrics={"accuracy": accuracy},
        scheduler=optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs),
        early_stopping=EarlyStopping(options.patience, restore_best=True),
        checkpoint=Checkpoint(out),
        callbacks=[run],
    )


def draw(run: fb.Run, history: Any, images, scores, labels, names: list[str]) -> bool:
    """Add the pictures to the run; whether there is something to draw them with."""
    try:
        run.add_figure(_("Loss and accuracy"), history.plot())
        run.add_figure(_("Confusion matrix"), viz.confusion_matrix(scores, labels, names))
        run.add_figure(_("Sample predictions"), draw_samples(images, scores, labels, names))
    except MissingDependency:
        return False
    return True


def draw_samples(images, scores, labels, names: list[str]) -> Any:
    """The surest mistakes, then the least certain of the others, each with what was predicted, as a figure."""
    sure, predicted = fb.softmax(scores, 1).max(1)
    wrong = predicted != labels
    order = fb.argsort(fb.where(wrong, -1 - sure, sure)).tolist()
    mistakes = [k for k in order if wrong[k]][:12]
    shown = mistakes + [k for k in order if not wrong[k]][: 24 - len(mistakes)]
    captions = [f"{names[predicted[k]]}, not {names[labels[k]]}" for k in mistakes]
    captions += [f"{names[predicted[k]]} ({float(sure[k]):.0%})" for k in shown[len(mistakes) :]]
    title = f"{len(mistakes)} of {int(wrong.sum())} mistakes (red), then the" if mistakes else "No mistakes; the"
    red = [k < len(mistakes) for k in range(len(shown))]
    ink = (images - images.min()) / (images.max() - images.min())
    pixels = [1 - ink[k, 0].numpy() for k in shown]
    return tiles(pixels, captions, red, columns=6, title=f"{title} least certain test images, with predictions")


def per_class(predicted, labels, names: list[str]) -> list[tuple]:
    """(class, images, share that was found, share of those taken for it that are) of each class."""
    rows = []
    for k, name in enumerate(names):
        true, taken = labels == k, predicted == k
        hits = int((true & taken).sum())
        images, named = int(true.sum()), int(taken.sum())
        rows.append((name, images, f"{hits / max(images, 1):.1%}", f"{hits / max(named, 1):.1%}"))
    return rows


def readable(name: str, value: Any) -> str:
    """A fact as the page shows it."""
    return f"{value:.2%}" if "accuracy" in name else f"{value:.1f}" if isinstance(value, float) else str(value)


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, not {number}")
    return number


def rate(text: str) -> float:
    """A learning rate, for argparse."""
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {number}")
    return number


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line, with the defaults of the data set filled in."""
    about = _("Train a small convolutional network on images and report on it.")
    parser = Parser(prog="flambeau demo", description=about)
    add = parser.add_argument
    add("--data", choices=list(SOURCES), default="digits", help=_("data set (default: digits, embedded)"))
    add("--root", default="data", help=_("folder of the MNIST files (default: ./data)"))
    add("--out", help=_("folder for the results (default: runs/demo-<time>)"))
    add("--epochs", type=positive, help=_("at most so many epochs (default: 16, or 3 for the MNIST sets)"))
    add("--batch-size", type=positive, help=_("images per step (default: 32, or 128)"))
    add("--lr", type=rate, default=3e-3, help=_("learning rate (default: 0.003)"))
    add("--seed", type=int, default=0, help=_("random seed (default: 0)"))
    add("--patience", type=positive, default=5, help=_("stop after so many epochs without improvement"))
    options = parser.parse_args(argv)
    small = options.data == "digits"
    options.epochs = options.epochs or (16 if small else 3)
    options.batch_size = options.batch_size or (32 if small else 128)
    return options


def main(argv: list[str] | None = None) -> int:
    """Run the demo; returns the exit status.

    Arguments:
        argv: command line arguments. Default: those of the process.
    """
    options = parse(argv)
    started = time.perf_counter()
    fb.manual_seed(options.seed)
    try:
        *data, test, names = load(options.data, options.root, options.seed)
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
    model = SmallConvNet(test[0][0].shape[-1], len(names))
    parameters = sum(p.numel() for p in model.parameters())
    print(_(SOURCES[options.data]))
    print(
        _(
            f"{len(data[0]):,} training, {len(data[1]):,} validation, {len(test):,} test images; "
            f"{parameters:,} parameters; seed {options.seed}"
        )
    )
    try:
        return report(model, data, test, names, options, out, started)
    except GradientError as error:  # the loss is not finite: the message says why
        print(f"flambeau demo: {error}", file=sys.stderr)
        return 1


def report(model, data, test, names, options, out: Path, started: float) -> int:
    """Train and test the model, with a page about it in the folder; returns the exit status."""
    settings = {name: getattr(options, name) for name in ("data", "epochs", "batch_size", "lr", "seed", "patience")}
    with fb.Run(out, settings, name=f"flambeau demo: {options.data}", notes=_(SOURCES[options.data])) as run:
        out = run.folder  # another one, if there is a record in it already
        history = train(model, tuple(data), options, out, run)
        images, scores, labels = predict(model, DataLoader(test, batch_size=512))
        predicted = scores.argmax(1)
        reached, wrong = float(accuracy(scores, labels)), int((predicted != labels).sum())
        facts = {
            part("test images"): len(test),
            part("test accuracy"): reached,
            part("epochs run"): history.epochs,
            part("best epoch"): history.best["epoch"],
            part("validation accuracy"): history.best["val_accuracy"],
            part("seconds"): time.perf_counter() - started,
        }
        run.add_table(_("Result"), {_(str(k)): readable(k, v) for k, v in facts.items()})
        columns = [_("class"), _("images"), _("found"), _("precision")]
        run.add_table(_("Each class"), per_class(predicted, labels, names), columns)
        drawn = draw(run, history, images, scores, labels, names)
    told = {"setting": settings, "facts": facts, "history": dict(history)}
    (out / "metrics.json").write_text(json.dumps(told, indent=2))
    print(
        _(
            f"test accuracy {reached:.2%} ({wrong} of {len(labels):,} wrong), weights of epoch "
            f"{history.best['epoch']}; {time.perf_counter() - started:.1f} s in all"
        )
    )
    if not drawn:
        print(_("no pictures: pip install 'flambeau[viz]' for matplotlib"))
    print(_(f"results in {out}"))
    print(_(f"open {run.page}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
