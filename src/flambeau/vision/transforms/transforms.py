"""Transforms of one image, all of them."""

from ._basic import (  # noqa: F401
    Compose,
    ConvertImageDtype,
    Lambda,
    LinearTransformation,
    Normalize,
    OneNumber,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomOrder,
    RandomTransforms,
    Shown,
    ToPILImage,
    ToTensor,
    WithProbability,
)  # fmt: skip
from ._move import (  # noqa: F401
    CenterCrop,
    ElasticTransform,
    FiveCrop,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
    TenCrop,
)
from ._recolour import (  # noqa: F401
    ColorJitter,
    GaussianBlur,
    Grayscale,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomEqualize,
    RandomErasing,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from .functional import InterpolationMode  # noqa: F401
