"""A generative adversarial network of convolutions: one network draws digits, another tells them from real ones.

python dcgan.py --epochs 20
"""

import argparse

import flambeau as torch
from flambeau.vision.datasets import Digits

nn = torch.nn
NOISE = 16


def generator(width=32):
    """Noise (n, 16, 1, 1) -> pictures (n, 1, 8, 8) between -1 and 1 (Radford, Metz & Chintala, 2015)."""
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 2 * width, 2, bias=False), nn.BatchNorm2d(2 * width), nn.ReLU(),  # 2 x 2
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),  # 4 x 4
        nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh(),  # 8 x 8
    )  # fmt: skip


def discriminator(width=32):
    """Pictures -> one score each: positive for real."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 2), nn.Flatten(0),
    )  # fmt: skip


def start(module):
    """The initial weights of the paper."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def show(pictures):
    """Pictures side by side, in characters."""
    shades = " .:-=+*#%@"
    for row in range(8):
        print("  ".join("".join(shades[int(4.99 * (v + 1))] * 2 for v in p[0, row].tolist()) for p in pictures))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args(argv)

    torch.manual_seed(0)
    digits = torch.utils.data.TensorDataset(Digits("all").data.unsqueeze(1).float() / 8 - 1)
    loader = torch.utils.data.DataLoader(digits, args.batch, shuffle=True, drop_last=True)
    draw, judge = generator().apply(start), discriminator().apply(start)
    optimizers = [torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (draw, judge)]
    loss_fn = nn.BCEWithLogitsLoss()
    real, fake = torch.ones(args.batch), torch.zeros(args.batch)
    history = []
    for epoch in range(args.epochs):
        for (pictures,) in loader:
            made = draw(torch.randn(args.batch, NOISE, 1, 1))
            # The judge learns from both; detach() keeps its lesson from the drawer.
            judge_loss = loss_fn(judge(pictures), real) + loss_fn(judge(made.detach()), fake)
            optimizers[1].zero_grad()
            judge_loss.backward()
            optimizers[1].step()
            # The drawer learns to be taken for real.
            draw_loss = loss_fn(judge(made), real)
            optimizers[0].zero_grad()
            draw_loss.backward()
            optimizers[0].step()
        history.append((judge_loss.item(), draw_loss.item()))
        if (epoch + 1) % 5 == 0 or epoch == 0:
            print(f"epoch {epoch + 1}: judge {history[-1][0]:.3f}, drawer {history[-1][1]:.3f}")

    draw.eval()
    with torch.no_grad():
        made = draw(torch.randn(5, NOISE, 1, 1))
    show(made)
    return history, made


if __name__ == "__main__":
    main()
