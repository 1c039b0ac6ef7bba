"""The second generation of transforms: images, masks, boxes and labels in any structure go through together."""

from ..autoaugment import AutoAugmentPolicy
from ..functional import InterpolationMode
from . import functional
from ._batched import register as _register
from ._colour import (
    RGB,
    AugMix,
    AutoAugment,
    ColorJitter,
    Grayscale,
    RandAugment,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomChannelPermutation,
    RandomEqualize,
    RandomGrayscale,
    RandomInvert,
    RandomPhotometricDistort,
    RandomPosterize,
    RandomSolarize,
    TrivialAugmentWide,
)  # fmt: skip
from ._geometry import (
    CenterCrop,
    ElasticTransform,
    FiveCrop,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomPerspective,
    RandomResize,
    RandomResizedCrop,
    RandomRotation,
    RandomShortestSize,
    RandomVerticalFlip,
    RandomZoomOut,
    Resize,
    ScaleJitter,
    TenCrop,
)  # fmt: skip
from ._other import (
    JPEG,
    ClampBoundingBoxes,
    Compose,
    ConvertBoundingBoxFormat,
    ConvertImageDtype,
    CutMix,
    GaussianBlur,
    GaussianNoise,
    Identity,
    Lambda,
    LinearTransformation,
    MixUp,
    Normalize,
    PILToTensor,
    RandomApply,
    RandomChoice,
    RandomErasing,
    RandomOrder,
    ToDtype,
    ToImage,
    ToPILImage,
    ToPureTensor,
    ToTensor,
)  # fmt: skip
from ._transform import Transform

_register()
