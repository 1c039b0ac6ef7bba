"""A training by `fit`: one batch first, then a learning rate, then all of it, in a record; and the loop that was run.

python fit_digits.py                       # train, resuming where an earlier call was stopped
python fit_digits.py --compile --doctor    # compiled, with the doctor looking on
python fit_digits.py --show                # print the plain program that does the same
"""

import argparse

import flambeau as torch
from flambeau.training import Checkpoint, EarlyStopping, accuracy
from flambeau.vision import datasets, transforms

nn = torch.nn


def model_of(hidden):
    """One hidden convolution, one hidden layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.2), nn.Linear(16 * 4 * 4, hidden), nn.ReLU(), nn.Linear(hidden, 10),
    )  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--folder", default="runs/fit-digits", help="for the record and the checkpoints")
    parser.add_argument("--compile", action="store_true", help="compile the step")
    parser.add_argument("--doctor", action="store_true", help="let the doctor look on")
    parser.add_argument("--show", action="store_true", help="print the plain loop, and train nothing")
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    to_tensor = transforms.ToTensor()
    loaders = [
        torch.utils.data.DataLoader(datasets.Digits(split, to_tensor), batch_size=size, shuffle=size < 100)
        for split, size in (("train", 32), ("val", 300), ("test", 300))
    ]
    model, loss_fn = model_of(args.hidden), nn.CrossEntropyLoss()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    given = {
        "epochs": args.epochs, "val_loader": loaders[1], "metrics": {"accuracy": accuracy}, "clip_norm": 1.0,
        "compile": args.compile,
    }  # fmt: skip
    if args.show:
        print(torch.fit.plain(model, loaders[0], loss_fn, optimizer, **given))
        return None

    print(torch.overfit_one_batch(model, loaders[0], loss_fn))
    found = torch.lr_find(model, loaders[0], loss_fn, optimizer)
    rate = found.suggestion / 3
    print(f"{found}; training begins with {rate:.2g}")
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    history = torch.fit(
        model,
        loaders[0],
        loss_fn,
        optimizer,
        **given,
        doctor=args.doctor,
        scheduler=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs),
        early_stopping=EarlyStopping(6, restore_best=True),
        checkpoint=Checkpoint(f"{args.folder}/checkpoints", every=20),
        resume=True,
        callbacks=[torch.Run(args.folder, vars(args), resume=True)],
    )
    model.eval()
    with torch.no_grad():
        right = [accuracy(model(images), labels) for images, labels in torch.progress(loaders[2], "test")]
    print(f"best epoch {history.best['epoch']}; on pictures that nothing was chosen by: {right[0].item():.1%}")
    if args.doctor:
        history.report.show()
    return right[0].item()


if __name__ == "__main__":
    main()
