"""Models: torchvision's keys, shapes and initial weights; what asking for trained weights says."""

import hashlib

import pytest

import flambeau as fb
from flambeau.vision import models

# Entries, parameters, and MD5 of the list of (key, shape), from torchvision 0.29.
RECORDED = [
    ("resnet18", 122, 11689512, "0904c3ec11ed0b1ec79b0b5a39b397dd"),
    ("mobilenet_v2", 314, 3504872, "36bbb70105645b8516ac35516f609b8b"),
    ("mobilenet_v3_small", 244, 2542856, "edb672555bb1f3c9bd1023e535f4dd37"),
    ("vit_b_32", 152, 88187368, "bd3b680441f3d41694028bbdc83de857"),
    ("resnet50", 320, 25557032, "ac3cbc881885daacc986d409538ec310"),
    ("vgg11_bn", 62, 132868840, "14147035f897e17d3e05fd1e82c4c001"),
    ("alexnet", 16, 61100840, "687056d82fc6e330ad675b454b7c3656"),
]


@pytest.mark.parametrize("name, entries, parameters, digest", RECORDED)
def test_keys_and_shapes(name, entries, parameters, digest):
    options = {"image_size": 32} if name == "vit_b_32" else {}
    with fb.device("meta"):
        model = models.get_model(name, **options)
    state = model.state_dict()
    assert len(state) == entries and sum(p.numel() for p in model.parameters()) == parameters
    assert hashlib.md5(str([(k, tuple(v.shape)) for k, v in state.items()]).encode()).hexdigest() == digest


def test_initial_weights_and_output_of_resnet18():
    fb.manual_seed(0)
    model = models.resnet18(num_classes=4).eval()
    x = fb.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with fb.no_grad():
        out = model(x)
    expected = [-0.19289837777614594, 0.07713495939970016, -0.15411752462387085, -0.02851581946015358]
    assert out[0].tolist() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name, size", [("lenet", 28), ("mobilenet_v3_small", 32), ("mobilenet_v2", 32)])
def test_trains(name, size):
    model = models.get_model(name, num_classes=5)
    x = fb.randn(2, 1 if name == "lenet" else 3, size, size)
    out = model(x)
    assert out.shape == (2, 5)
    out.sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_vit_forward():
    model = models.VisionTransformer(16, 8, 1, 2, 12, 24, num_classes=3, representation_size=5)
    assert model(fb.randn(2, 3, 16, 16)).shape == (2, 3)
    with pytest.raises(AssertionError, match="Wrong image height! Expected 16 but got 8!"):
        model(fb.randn(2, 3, 8, 16))


def test_weights_from_a_file(tmp_path):
    model = models.lenet()
    fb.save(model.state_dict(), tmp_path / "lenet.pth")
    again = models.lenet(weights=str(tmp_path / "lenet.pth"))
    assert fb.equal(again.features[0].weight, model.features[0].weight)


@pytest.mark.parametrize(
    "call",
    [
        lambda: models.resnet18(pretrained=True),
        lambda: models.resnet18(weights="DEFAULT"),
        lambda: models.resnet18(weights=models.ResNet18_Weights.DEFAULT),
    ],
)
def test_published_weights_are_refused_with_a_way_out(call):
    with pytest.raises(NotImplementedError, match="resnet18-f37072fd.pth") as caught:
        call()
    assert "load_state_dict" in str(caught.value)


def test_names():
    assert "resnet152" in models.list_models() and models.list_models(include="vit*")[0] == "vit_b_16"
    with pytest.raises(ValueError, match="Unknown model resnet7"):
        models.get_model("resnet7")
    with pytest.raises(ValueError, match="neither a file nor one of the published weights"):
        models.resnet18(weights="nothing.pth")
    assert models.resnet18(pretrained=False, num_classes=2).fc.out_features == 2
    assert models.get_model_weights("resnet50").DEFAULT.name == "IMAGENET1K_V2"
    preset = models.ResNet50_Weights.IMAGENET1K_V1.transforms()
    assert preset(fb.zeros(3, 300, 400, dtype=fb.uint8)).shape == (3, 224, 224)


def test_replace_stride_with_dilation():
    with fb.device("meta"):
        model = models.resnet50(replace_stride_with_dilation=[False, True, True])
    assert model.layer4[0].conv2.dilation == (2, 2) and model.layer4[1].conv2.dilation == (4, 4)
