"""The record of a run: a page that holds curves, pictures, the model, what the doctor found, machine and program.

python record_a_run.py                     # two runs, and a page that compares them
python record_a_run.py --lr 0.1 0.01 0.001 --epochs 20 --folder runs
"""

import argparse
from pathlib import Path

import flambeau as torch
from flambeau import record
from flambeau.vision import datasets, transforms

nn = torch.nn


def train(lr, epochs, folder):
    """One training of a small network on digits, recorded in a folder of its own."""
    torch.manual_seed(0)
    make = lambda part, **options: torch.utils.data.DataLoader(
        datasets.Digits(part, transforms.ToTensor()), batch_size=64, **options
    )
    train_loader, val_loader = make("train", shuffle=True), make("val")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    loss_fn = nn.CrossEntropyLoss()

    with torch.Run(folder, config={"lr": lr, "epochs": epochs, "optimizer": "SGD"}) as run:
        images, _ = next(iter(val_loader))
        run.add_model(model, images[:1])
        run.watch(model, optimizer)
        step = 0
        for epoch in range(1, epochs + 1):
            for x, y in train_loader:
                loss = loss_fn(model(x), y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                if step % 5 == 0:
                    run.log({"train/loss": loss}, step=step)
                step += 1
            val_loss, accuracy, wrong = evaluate(model, val_loader, loss_fn)
            run.log({"val/loss": val_loss, "val/accuracy": accuracy, "epoch": epoch}, step=step)
        if wrong:
            run.add_image("not recognised", torch.stack(wrong), caption="Digits of the validation set")
    print(f"lr {lr}: accuracy {accuracy:.2%}, {run.page}")
    return run.folder, accuracy


@torch.no_grad()
def evaluate(model, loader, loss_fn):
    """(mean loss, accuracy, pictures that were taken for another digit)."""
    total, right, wrong = 0.0, 0, []
    for x, y in loader:
        scores = model(x)
        total += loss_fn(scores, y).item() * len(y)
        hit = scores.argmax(1) == y
        right += hit.sum().item()
        wrong += list(x[~hit])
    return total / len(loader.dataset), right / len(loader.dataset), wrong


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, nargs="+", default=[0.1, 0.01])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path("runs"))
    args = parser.parse_args(argv)
    found = [train(lr, args.epochs, args.folder / f"lr-{lr}") for lr in args.lr]
    folders = [folder for folder, _ in found]
    if len(folders) > 1:
        print("compared:", record.compare(*folders))
    return found


if __name__ == "__main__":
    main()
