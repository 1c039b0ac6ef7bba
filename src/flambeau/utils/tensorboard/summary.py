"""The protocol buffers that TensorBoard reads, made of numbers, texts and sounds; under PyTorch's names."""

from __future__ import annotations

import io
import json
import reprlib
import struct
import wave
from collections.abc import Callable
from typing import Any

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from ...errors import ArgumentError, ArgumentTypeError, FailedAssertion, ShapeError
from ...tensor import Tensor
from ...told import tell
from .arrays import checked_tag, make_np, numbers, written
from .pictures import figure_to_image, image, image_boxes, make_image, video

__all__ = [
    "audio", "compute_curve", "custom_scalars", "figure_to_image", "histogram", "histogram_raw", "hparams", "image",
    "image_boxes", "make_histogram", "make_image", "mesh", "pr_curve", "pr_curve_raw", "scalar", "tensor_proto", "text",
    "video",
]  # fmt: skip


def _plugin(name: str, content: bytes = b"") -> SummaryMetadata:
    return SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name=name, content=content))


def _shape(*sizes: int) -> TensorShapeProto:
    return TensorShapeProto(dim=[TensorShapeProto.Dim(size=int(n)) for n in sizes])


def _one(**value: Any) -> Summary:
    return Summary(value=[Summary.Value(**value)])


# --------------------------------------------------------------------------------------------- scalars, tensors, text


def scalar(name: str, tensor: Any, collections: Any = None, new_style: bool = False, double_precision: bool = False):
    """A single number.

    Arguments:
        collections: not used, as in PyTorch.
        new_style: as a tensor, of 64 bits with `double_precision`.
    """
    array = make_np(tensor).squeeze()
    if array.ndim:
        raise FailedAssertion(
            "Tensor should contain one element (0 dimensions). "
            f"Was given size: {array.size} and {array.ndim} dimensions.",
            why="a scalar is one number at each step",
            fix="write its mean, `x.mean()`, or use `add_histogram` for all values",
        )
    try:
        number = float(array)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"could not convert {array.item()!r} to a number",
            why="a scalar is one real number",
            fix="pass a float, such as `loss.item()`",
        ) from error
    if not new_style:
        return _one(tag=checked_tag(name), simple_value=number)
    made = TensorProto(float_val=[number], dtype="DT_FLOAT")
    if double_precision:
        made = TensorProto(double_val=[number], dtype="DT_DOUBLE")
    return _one(tag=checked_tag(name), tensor=made, metadata=_plugin("scalars"))


def _bits(t: Tensor) -> list[int]:
    """Half precision as PyTorch stores it: the bits of each value as a float32."""
    return [struct.unpack("i", struct.pack("f", x))[0] for x in t.flatten().tolist()]


def _pairs(t: Tensor) -> list[float]:
    return [part for x in t.flatten().tolist() for part in (x.real, x.imag)]


def _values(t: Tensor) -> list:
    return t.flatten().tolist()


_FIELDS: dict[str, tuple[str, str, Callable[[Tensor], list]]] = {
    "float16": ("DT_HALF", "half_val", _bits), "bfloat16": ("DT_BFLOAT16", "half_val", _bits),
    "float32": ("DT_FLOAT", "float_val", _values), "float64": ("DT_DOUBLE", "double_val", _values),
    "int8": ("DT_INT8", "int_val", _values), "uint8": ("DT_UINT8", "uint32_val", _values),
    "int16": ("DT_INT16", "int_val", _values), "int32": ("DT_INT32", "int_val", _values),
    "int64": ("DT_INT64", "int64_val", _values), "bool": ("DT_BOOL", "bool_val", _values),
    "complex64": ("DT_COMPLEX64", "scomplex_val", _pairs), "complex128": ("DT_COMPLEX128", "dcomplex_val", _pairs),
}  # fmt: skip


def tensor_proto(tag: str, tensor: Tensor):
    """A whole tensor."""
    if not isinstance(tensor, Tensor):
        raise ArgumentTypeError(
            f"add_tensor expects a tensor, but got {type(tensor).__name__}",
            why="its dtype and shape are written too",
            fix="use `torch.as_tensor(value)`",
        )
    if tensor.nbytes >= 1 << 31:
        raise ArgumentError(
            "tensor is bigger than protocol buffer's hard limit of 2GB in size",
            why=f"it has {tensor.nbytes:,} bytes",
            fix="write a part of it, or save it with `torch.save`",
        )
    if tensor.dtype.name not in _FIELDS:
        raise ArgumentError(
            f"{tag} has unsupported tensor dtype {tensor.dtype}",
            why="TensorBoard's tensors do not have this dtype",
            fix="convert it: `tensor.float()` or `tensor.long()`",
        )
    kind, field, convert = _FIELDS[tensor.dtype.name]
    made: dict[str, Any] = {"dtype": kind, "tensor_shape": _shape(*tensor.shape), field: convert(tensor)}
    return _one(tag=checked_tag(tag), metadata=_plugin("tensor"), tensor=TensorProto(**made))


def text(tag: str, text: str):
    """A text, which TensorBoard shows as Markdown."""
    from tensorboard.plugins.text.plugin_data_pb2 import TextPluginData  # noqa: PLC0415 - each plugin when it is used

    if not isinstance(text, str):
        raise ArgumentTypeError(
            f"add_text expects a string, but got {type(text).__name__}",
            why="TensorBoard shows the text as Markdown",
            fix="use `str(value)`",
        )
    made = TensorProto(dtype="DT_STRING", string_val=[text.encode("utf-8", "replace")], tensor_shape=_shape(1))
    metadata = _plugin("text", TextPluginData(version=0).SerializeToString())
    return _one(tag=f"{checked_tag(tag)}/text_summary", metadata=metadata, tensor=made)


# ---------------------------------------------------------------------------------------------------------- histograms


def histogram_raw(name, min, max, num, sum, sum_squares, bucket_limits, bucket_counts):
    """A histogram that has been counted already."""
    made = HistogramProto(
        min=min, max=max, num=num, sum=sum, sum_squares=sum_squares, bucket_limit=bucket_limits, bucket=bucket_counts
    )  # fmt: skip
    return _one(tag=checked_tag(name), histo=made)


def histogram(name: str, values: Any, bins: Any, max_bins: int | None = None):
    """A histogram of all elements. bins: as `numpy.histogram` takes them."""
    array = numbers(values).astype(float)
    return _one(tag=checked_tag(name), histo=make_histogram(array, bins, max_bins))


def make_histogram(values: np.ndarray, bins: Any, max_bins: int | None = None) -> HistogramProto:
    """Count values into bins: those from the first to the last that holds any."""
    values = values.reshape(-1)
    if not values.size:
        raise ArgumentError(
            "The input has no element.",
            why="a histogram of nothing has no range",
            fix="leave out tensors with `x.numel() == 0`",
        )
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise ArgumentError(
            "a histogram needs finite values, but all of them are nan or infinite",
            why="there is no range to divide into bins",
            fix="find out where they come from: `with torch.autograd.detect_anomaly():`",
        )
    if finite.size < values.size:
        tell(f"{values.size - finite.size} of {values.size} values of a histogram are nan or infinite: left out")
    try:
        counts, limits = np.histogram(finite, bins=bins)
    except (ValueError, TypeError, MemoryError) as error:
        raise ArgumentError(
            f"the histogram cannot be counted with bins={reprlib.repr(bins)}",
            why=f"{error}",
            fix="leave `bins` out, or use 'auto', a number of bins, or a list of rising limits",
        ) from error
    if max_bins is not None and len(counts) > max_bins:
        counts, limits = _thinned(counts, limits, len(counts) // max_bins)
    if not counts.any():
        raise ArgumentError(
            f"no value of the histogram lies in a bin: values from {finite.min():g} to {finite.max():g}, bins from "
            f"{limits[0]:g} to {limits[-1]:g}",
            why="all values lie outside",
            fix="give `bins` that reach from the least to the largest value",
        )
    first, last = np.flatnonzero(counts)[[0, -1]]
    # Only right limits are kept: an empty bin on the left says where the first one begins.
    counts = counts[first - 1 : last + 1] if first else np.concatenate([[0], counts[: last + 1]])
    return HistogramProto(
        min=finite.min(),
        max=finite.max(),
        num=len(finite),
        sum=finite.sum(),
        sum_squares=finite.dot(finite),
        bucket_limit=limits[first : last + 2].tolist(),
        bucket=counts.tolist(),
    )


def _thinned(counts, limits, step):
    """The bins, `step` of them put together into one."""
    rest = len(counts) % step
    if rest:
        counts = np.pad(counts, (0, step - rest))
    counts = counts.reshape(-1, step).sum(axis=-1)
    return counts, np.append(limits[:-1:step], limits[-1])


# --------------------------------------------------------------------------------------------------------------- sound


def audio(tag: str, tensor: Any, sample_rate: int = 44100):
    """A sound of one channel, values from -1 to 1, as a WAV file."""
    array = numbers(tensor).squeeze()
    if array.ndim != 1 or not array.size:
        raise FailedAssertion(
            f"input tensor should be 1 dimensional, but has the shape {np.shape(make_np(tensor))}",
            why="a sound of one channel is a sequence of samples",
            fix="use `x.mean(0)` to put the channels together",
        )
    if not isinstance(sample_rate, (int, np.integer)) or not 0 < sample_rate < 2**31:
        raise ArgumentError(
            f"sample_rate should be a whole number above 0, but is {sample_rate!r}",
            why="it says how many values make up one second of the sound",
            fix="pass the rate at which the sound was recorded, such as 44100",
        )
    peak = float(np.abs(array.astype(float)).max())
    if not peak <= 1:
        tell(f"the amplitude of a sound should be at most 1, but is {peak:g}: what lies outside is cut off")
        array = np.nan_to_num(array.astype(float), nan=0.0).clip(-1, 1)
    samples = (array * np.iinfo(np.int16).max).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sample_rate)
        wav.writeframes(samples.tobytes())
    made = Summary.Audio(
        sample_rate=sample_rate,
        num_channels=1,
        length_frames=len(samples),
        encoded_audio_string=file.getvalue(),
        content_type="audio/wav",
    )
    return _one(tag=checked_tag(tag), audio=made)


# ------------------------------------------------------------------------------------------- precision-recall curves


def pr_curve(tag: str, labels: Any, predictions: Any, num_thresholds: int = 127, weights: Any = None):
    """Precision and recall for thresholds from 0 to 1, of true or false labels and predicted probabilities."""
    labels, predictions = numbers(labels), numbers(predictions)
    if labels.shape != predictions.shape:
        raise ShapeError(
            f"labels and predictions should have one shape, but have {labels.shape} and {predictions.shape}",
            why="each prediction is the probability that its label is true",
            fix="write one curve for each class: `add_pr_curve(name, labels == i, probabilities[:, i])`",
        )
    if labels.size and not (np.isin(labels, (0, 1)).all() and predictions.min() >= 0 and predictions.max() <= 1):
        raise ArgumentError(
            f"labels should be 0 or 1, and predictions lie between 0 and 1; they reach from {labels.min():g} to "
            f"{labels.max():g} and from {predictions.min():g} to {predictions.max():g}",
            why="a prediction is the probability that its label is true",
            fix="use `torch.sigmoid(logits)`, or for one of several classes `labels == i` and `softmax(logits)[:, i]`",
        )
    num_thresholds = min(num_thresholds, 127)  # TensorBoard cannot read more
    weights = None if weights is None else numbers(weights)
    return _curve(tag, compute_curve(labels, predictions, num_thresholds, weights), num_thresholds)


def pr_curve_raw(tag, tp, fp, tn, fn, precision, recall, num_thresholds=127, weights=None):
    """A curve whose counts are known already. weights: not used, as in PyTorch; the counts hold them."""
    parts = [numbers(x).reshape(-1) for x in (tp, fp, tn, fn, precision, recall)]
    if len({len(part) for part in parts}) != 1:
        raise ShapeError(
            f"the six sequences of a curve should have one length, but have {[len(part) for part in parts]}",
            why="each holds one number for each threshold",
            fix="count all of them at the same thresholds",
        )
    return _curve(tag, np.stack(parts), min(num_thresholds, 127))


def _curve(tag, data, num_thresholds):
    from tensorboard.plugins.pr_curve.plugin_data_pb2 import PrCurvePluginData  # noqa: PLC0415

    content = PrCurvePluginData(version=0, num_thresholds=num_thresholds).SerializeToString()
    made = TensorProto(dtype="DT_FLOAT", float_val=data.reshape(-1).tolist(), tensor_shape=_shape(*data.shape))
    return _one(tag=checked_tag(tag), metadata=_plugin("pr_curves", content), tensor=made)


def compute_curve(labels, predictions, num_thresholds=None, weights=None) -> np.ndarray:
    """True and false positives, true and false negatives, precision and recall: a row each, a column per threshold."""
    weights = 1.0 if weights is None else weights
    last = num_thresholds - 1
    bucket = np.int32(np.floor(predictions * last))
    truth = labels.astype(np.float64)
    counted = [
        np.histogram(bucket, bins=num_thresholds, range=(0, last), weights=share * weights)[0]
        for share in (truth, 1.0 - truth)
    ]
    tp, fp = (np.cumsum(counts[::-1])[::-1] for counts in counted)  # all that lie above a threshold
    tn, fn = fp[0] - fp, tp[0] - tp
    least = 1e-7
    return np.stack((tp, fp, tn, fn, tp / np.maximum(least, tp + fp), tp / np.maximum(least, tp + fn)))


# ------------------------------------------------------------------------------------------- layouts, hyperparameters


def _layout(layout: Any) -> dict[str, dict[str, Any]]:
    """A layout as it was given, if it is one."""
    good = isinstance(layout, dict) and all(isinstance(given, dict) for given in layout.values())
    for chart in [chart for given in layout.values() for chart in given.values()] if good else [None]:
        if not isinstance(chart, (list, tuple)) or len(chart) < 2 or not isinstance(chart[1], (list, tuple)):
            raise ArgumentTypeError(
                f"a layout is a dict of categories, each a dict of charts, but is {reprlib.repr(layout)}",
                why="each chart has a title, a kind and the tags of the scalars that it shows",
                fix="use `{'Loss': {'both': ['Multiline', ['loss/train', 'loss/valid']]}}`",
            )
        if chart[0] not in ("Multiline", "Margin"):
            raise ArgumentError(
                f"the kind of a chart should be 'Multiline' or 'Margin', but is {chart[0]!r}",
                why="these are the charts that TensorBoard puts several scalars into",
                fix="use 'Multiline' for several lines, and 'Margin' for one with a band around it",
            )
    return layout


def custom_scalars(layout: dict[str, dict[str, Any]]):
    """Charts that put several scalars together: {category: {title: ["Multiline" or "Margin", tags]}}."""
    from tensorboard.plugins.custom_scalar import layout_pb2 as pb  # noqa: PLC0415

    categories = []
    for category, given in _layout(layout).items():
        charts = []
        for title, (kind, tags, *_rest) in given.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise FailedAssertion(
                        f"len(tags) != 3: a margin chart has three tags, but {len(tags)} are given",
                        why="they are the value, and the lower and upper edge of the band around it",
                        fix="give the tags in this order: `['Margin', ['loss', 'loss/low', 'loss/high']]`",
                    )
                series = pb.MarginChartContent.Series(value=tags[0], lower=tags[1], upper=tags[2])
                charts.append(pb.Chart(title=title, margin=pb.MarginChartContent(series=[series])))
            else:
                charts.append(pb.Chart(title=title, multiline=pb.MultilineChartContent(tag=tags)))
        categories.append(pb.Category(title=category, chart=charts))
    content = pb.Layout(category=categories).SerializeToString()
    made = TensorProto(dtype="DT_STRING", string_val=[content], tensor_shape=TensorShapeProto())
    return _one(tag="custom_scalars__config__", tensor=made, metadata=_plugin("custom_scalars"))


def hparams(hparam_dict=None, metric_dict=None, hparam_domain_discrete=None):
    """Hyperparameters and the names of metrics: (experiment, start of the session, end of the session)."""
    from tensorboard.plugins.hparams import api_pb2 as pb  # noqa: PLC0415
    from tensorboard.plugins.hparams import metadata as names  # noqa: PLC0415
    from tensorboard.plugins.hparams.plugin_data_pb2 import (  # noqa: PLC0415
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )

    domains = hparam_domain_discrete or {}
    for name, given in (
        ("hparam_dict", hparam_dict),
        ("metric_dict", metric_dict),
        ("hparam_domain_discrete", domains),
    ):
        if not isinstance(given, dict):
            raise ArgumentTypeError(
                f"parameter: {name} should be a dictionary, nothing logged.",
                why=f"it is of type {type(given).__name__}",
                fix="pass names and values, such as `{'lr': 0.1}`",
            )
    for key, values in domains.items():
        kind = type(hparam_dict.get(key))
        if key not in hparam_dict or not isinstance(values, list) or not all(isinstance(v, kind) for v in values):
            raise ArgumentTypeError(
                f"parameter: hparam_domain_discrete[{key}] should be a list of same type as hparam_dict[{key}].",
                why="it lists all values that the hyperparameter may have",
                fix="list values of the type that the hyperparameter itself has",
            )
    start, infos = SessionStartInfo(), []
    for key, value in hparam_dict.items():
        if value is None:
            continue
        kind, field, value = _hparam(key, value)
        setattr(start.hparams[checked_tag(key)], field, value)
        infos.append(pb.HParamInfo(name=written(key), type=pb.DataType.Value(kind)))
        if key in domains:
            for v in domains[key]:
                setattr(infos[-1].domain_discrete.values.add(), field, _hparam(key, v)[2])
    metrics = [pb.MetricInfo(name=pb.MetricName(tag=checked_tag(key))) for key in metric_dict]

    def summary(tag: str, **content: Any) -> Summary:
        made = HParamsPluginData(version=names.PLUGIN_DATA_VERSION, **content).SerializeToString()
        return _one(tag=tag, metadata=_plugin(names.PLUGIN_NAME, made))

    return (
        summary(names.EXPERIMENT_TAG, experiment=pb.Experiment(hparam_infos=infos, metric_infos=metrics)),
        summary(names.SESSION_START_INFO_TAG, session_start_info=start),
        summary(names.SESSION_END_INFO_TAG, session_end_info=SessionEndInfo(status=pb.Status.Value("STATUS_SUCCESS"))),
    )


def _hparam(key, value) -> tuple[str, str, Any]:
    """(type, field, value) of a hyperparameter; booleans are numbers, as PyTorch writes them."""
    if isinstance(value, (int, float, np.number)):
        return "DATA_TYPE_FLOAT64", "number_value", float(value)
    if isinstance(value, str):
        return "DATA_TYPE_STRING", "string_value", written(value)
    if isinstance(value, Tensor):
        return "DATA_TYPE_FLOAT64", "number_value", float(make_np(value).reshape(-1)[0])
    raise ArgumentError(
        f"value should be one of int, float, str, bool, or torch.Tensor, but {key!r} is {value!r}",
        why="TensorBoard's table has columns of numbers and of strings",
        fix="use `str(value)`",
    )


# -------------------------------------------------------------------------------------------------------------- meshes


def mesh(tag, vertices, colors, faces, config_dict, display_name=None, description=None):
    """Points in space, with colours and triangles between them where they are given."""
    from tensorboard.plugins.mesh import metadata  # noqa: PLC0415
    from tensorboard.plugins.mesh.plugin_data_pb2 import MeshPluginData  # noqa: PLC0415

    config = "{}" if config_dict is None else json.dumps(config_dict, sort_keys=True)
    given = [
        (name, numbers(value), kind)
        for name, value, kind in (
            ("vertices", vertices, MeshPluginData.VERTEX),
            ("faces", faces, MeshPluginData.FACE),
            ("colors", colors, MeshPluginData.COLOR),
        )
        if value is not None
    ]
    components = metadata.get_components_bitmask([kind for _, _, kind in given])
    values = []
    for name, array, kind in given:
        if array.ndim != 3 or array.shape[2] != 3:
            raise ShapeError(
                f"{name} of a mesh should have the shape (batch, number, 3), but have {array.shape}",
                why="a point has three coordinates, a colour three parts, a triangle three corners",
                fix="use `x.unsqueeze(0)` for a single mesh",
            )
        details = metadata.create_summary_metadata(
            checked_tag(tag), display_name, kind, components, list(array.shape), description, json_config=config
        )
        made = TensorProto(dtype="DT_FLOAT", float_val=array.reshape(-1).tolist(), tensor_shape=_shape(*array.shape))
        values.append(Summary.Value(tag=metadata.get_instance_name(tag, kind), tensor=made, metadata=details))
    return Summary(value=values)
