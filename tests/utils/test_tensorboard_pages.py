"""A real TensorBoard in a headless browser shows what SummaryWriter writes, in each of its dashboards."""

import math
import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from browser import opened

import flambeau as torch
from flambeau import nn
from flambeau.utils.tensorboard import SummaryWriter
from flambeau.vision.datasets import Digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.features(x).flatten(1)).relu()


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A folder with something of every kind."""
    folder = tmp_path_factory.mktemp("logs")
    digits = Digits("test")
    images = torch.as_tensor(digits.data[:50]).float().reshape(-1, 1, 8, 8) / 16
    torch.manual_seed(0)
    with SummaryWriter(folder / "first") as w:
        for step in range(30):
            w.add_scalar("loss/训练", math.exp(-step / 9), step)
            w.add_scalars("accuracy", {"train": 1 - math.exp(-step / 9), "valid": 0.9 - math.exp(-step / 9)}, step)
            if step % 10 == 0:
                w.add_histogram("weights/conv", torch.randn(300) * (1 + step / 20), step)
        w.add_custom_scalars({"losses": {"all": ["Multiline", ["loss/训练"]]}})
        w.add_images("digits", images[:16], 0)
        w.add_video("noise", torch.rand(2, 4, 3, 8, 8), 0)
        w.add_audio("tone", torch.sin(torch.arange(4000) / 3), 0, sample_rate=8000)
        w.add_text("note", "# Heading\n\n中文 **bold**", 0)
        w.add_graph(Net(), images[:2])
        w.add_pr_curve("curve", torch.arange(100) % 2, torch.rand(100), 0)
        w.add_mesh("mesh", torch.rand(1, 20, 3), torch.randint(0, 255, (1, 20, 3)))
        w.add_embedding(images.flatten(1), [f"数字 {digits[i][1]}" for i in range(50)], images, tag="digits")
        w.add_hparams({"lr": 0.125, "kind": "adam"}, {"hparam/accuracy": 0.75}, run_name="hparams")
    return folder


@contextmanager
def tensorboard(folder):
    """The address of a TensorBoard that shows a folder."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0", "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--load_fast=false"], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/", line)
            if found:
                yield found[0]
                break
        else:
            raise AssertionError("".join(said))
    finally:
        server.kill()
        server.wait()


# What is drawn in each dashboard: a selector, and how many there are at least.
SHOWN = {
    "timeseries": ("scalar-card line-chart svg", 1),
    "scalars": ("tf-scalar-card vz-line-chart2 svg path.line", 2),
    "custom_scalars": ("tf-custom-scalar-multi-line-chart-card svg path.line", 1),
    "images": ("tf-image-loader img", 2),
    "audio": ("tf-audio-loader audio", 1),
    "distributions": ("vz-distribution-chart svg path.area", 3),
    "histograms": ("vz-histogram-timeseries svg .histogram path", 3),
    "text": ("tf-text-loader h1", 1),
    "pr_curves": ("tf-pr-curve-card svg path.line", 1),
    "mesh": ("tf-mesh-loader canvas", 1),
}


def test_every_dashboard_shows_its_data(logs):
    with tensorboard(logs) as address, opened(address, webgl=True, width=1300) as (page, _complaints):
        page.set_default_timeout(20_000)

        def visit(name):
            page.evaluate(f"location.hash = '{name}'")

        for name, (selector, count) in SHOWN.items():
            visit(name)
            shown = page.locator(f"{selector} >> visible=true")
            shown.nth(count - 1).wait_for()
            if name == "images":
                page.wait_for_function("(i) => i.complete && i.naturalWidth > 0", arg=shown.first.element_handle())
            if name == "text":
                assert shown.first.text_content() == "Heading"
                assert page.locator("tf-text-loader strong").first.text_content() == "bold"
            if name == "scalars":
                page.locator("tf-scalar-dashboard").get_by_text("loss", exact=True).click()
                page.locator("tf-scalar-card").get_by_text("loss/训练").wait_for()

        visit("graphs")
        page.locator("g.node[data-name='Net'] > .nodeshape").first.dblclick()
        page.locator("g.node[data-name='Net/Sequential[features]']").first.wait_for()
        assert page.locator("g.node[data-name='Net/relu']").count() == 1

        visit("hparams")
        for text in ("adam", "0.12500", "0.75000"):
            page.get_by_text(text).first.wait_for(state="attached")

        visit("projector")
        projector = page.frame_locator("iframe").frame_locator("iframe")
        projector.get_by_text("50", exact=True).first.wait_for()  # points
        projector.get_by_text("digits:00000").first.wait_for(state="attached")
