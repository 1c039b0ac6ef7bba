"""Pictures of networks: a U-Net with its skip connections, and which parameters the two losses of a GAN reach.

python see_the_graph.py --save pictures --format svg
"""

import argparse
from pathlib import Path

import flambeau as torch
from flambeau import nn, viz


class Twice(nn.Sequential):
    """Two convolutions, each with normalisation and ReLU."""

    def __init__(self, inputs, outputs):
        layers = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
        super().__init__(*layers)


class UNet(nn.Module):
    """Down to small pictures with many channels and up again; what was seen on the way down is put beside it."""

    def __init__(self, channels=(3, 8, 16, 32)):
        super().__init__()
        pairs = list(zip(channels, channels[1:]))
        self.down = nn.ModuleList(Twice(a, b) for a, b in pairs)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(pairs[1:]))
        self.join = nn.ModuleList(Twice(2 * a, a) for a, _ in reversed(pairs[1:]))
        self.last = nn.Conv2d(channels[1], 2, 1)

    def forward(self, image):
        x, seen = self.down[0](image), []
        for block in self.down[1:]:
            seen.append(x)
            x = block(self.pool(x))
        for up, join in zip(self.up, self.join):
            x = join(torch.cat([up(x), seen.pop()], 1))
        return self.last(x)


def gan_losses(generator, discriminator):
    """The loss of the discriminator, without and with `detach()` of what the generator made."""
    fake, real = generator(torch.randn(4, 2)), torch.randn(4, 3)
    score = lambda x, target: nn.functional.mse_loss(discriminator(x), torch.full((4, 1), target))
    whole = score(real, 1.0) + score(fake, 0.0)
    cut = score(real, 1.0) + score(fake.detach(), 0.0)
    return whole, cut


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", default="pictures", help="folder for the pictures")
    parser.add_argument("--format", default="svg", choices=["svg", "png", "dot"])
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    folder = Path(options.save)
    folder.mkdir(parents=True, exist_ok=True)

    generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    discriminator = nn.Sequential(nn.Linear(3, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    whole, cut = gan_losses(generator, discriminator)
    names = {f"{part}.{name}": p for part, model in (("generator", generator), ("discriminator", discriminator))
             for name, p in model.named_parameters()}  # fmt: skip
    unet, image = UNet(), torch.rand(1, 3, 32, 32)
    pictures = {
        "unet": viz.draw(unet, image, depth=1),
        "unet_layers": viz.draw(unet, image, depth=2),
        "discriminator_loss": viz.make_dot(whole, params=names),
        "discriminator_loss_detached": viz.make_dot(cut, params=names),
    }
    for name, graph in pictures.items():
        print(f"{graph.save(folder / f'{name}.{options.format}')}: {graph!r}")
    reached = {name: sum(n.kind == "parameter" for n in graph.nodes) for name, graph in pictures.items()}
    print(f"Without detach() the discriminator's loss reaches {reached['discriminator_loss']} parameters,")
    print(f"with it {reached['discriminator_loss_detached']}: those of the generator are not in the picture.")
    return pictures


if __name__ == "__main__":
    main()
