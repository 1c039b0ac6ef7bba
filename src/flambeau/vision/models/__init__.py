"""Networks for images, with torchvision's names and state dict keys."""

from ._api import get_model, get_model_builder, get_model_weights, list_models
from .alexnet import *
from .lenet import *
from .mobilenet import *
from .resnet import *
from .vgg import *
from .vision_transformer import *
