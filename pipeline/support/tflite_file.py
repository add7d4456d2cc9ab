"""What a .tflite file says of itself, read from its bytes alone: no interpreter, no TensorFlow.

The file is a FlatBuffer (https://flatbuffers.dev/internals/) of TensorFlow's schema
(tensorflow/compiler/mlir/lite/schema/schema.fbs); Ultralytics appends a zip that holds ``metadata.json``.
Every offset is checked against the size of the file, so that a hostile one gives an error and nothing else.
"""

from __future__ import annotations

import json
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline.support.errors import ModelError
from pipeline.support.files import open_input

_IDENTIFIER = b"TFL3"
_MAX_ITEMS = 2_000_000
"""More items in all lists that are read together than any real model has: offsets may point at one list again
and again."""
_MAX_METADATA = 4 << 20
_STRIDES = (8, 16, 32)
"""The grids that a YOLO head predicts on."""

# The order of the fields in schema.fbs.
_MODEL_SUBGRAPHS = 2
_SUBGRAPH_TENSORS, _SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_OPERATORS = 0, 1, 2, 3
_OPERATOR_OUTPUTS = 2
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_NAME, _TENSOR_QUANTIZATION = 0, 1, 3, 4
_QUANTIZATION_SCALE, _QUANTIZATION_ZERO = 2, 3
_TYPES = (
    "float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8",
    "float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    """Quantisation: real = scale · (stored - zero_point); None where the values are stored as they are."""
    zero_point: int | None = None

    def __str__(self) -> str:
        return f"{self.dtype} [{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class TfliteFile:
    """Inputs and outputs of a model's main subgraph, and what its embedded metadata says."""

    path: Path
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    inner_shapes: frozenset[tuple[int, ...]]
    """The shapes of all tensors, in all subgraphs: an end-to-end head tells its classes nowhere else."""
    integer_activations: bool
    """Whether operators give out integers (static quantisation), not only weights are stored as such."""
    metadata: dict[str, Any]
    """The ``metadata.json`` of the zip behind the model; empty where there is none."""

    @cached_property
    def names(self) -> tuple[str, ...] | None:
        """The class names of the embedded metadata, by class id; None where it holds none."""
        named = self.metadata.get("names")
        if isinstance(named, dict):
            named = [named.get(str(index)) for index in range(len(named))]
        if not isinstance(named, list) or not named or not all(isinstance(name, str) for name in named):
            return None
        return tuple(named)

    @property
    def class_count(self) -> int | None:
        """How many classes the model tells apart; None where neither its metadata nor its shapes tell."""
        return self._classes_of_head() or len(self.names or ()) or self._classes_inside()

    @property
    def app_faults(self) -> list[str]:
        """Why the app would load this file and detect nonsense, or not load it; empty where it can use it.

        The app feeds ``[1,S,S,3]`` (float32 0..1, or uint8) and reads the first output as rows of six.
        """
        if not self.inputs or not self.outputs:
            return ["the model has no input or no output"]
        return [*_input_faults(self.inputs), *_output_faults(self.outputs[0])]

    def _classes_of_head(self) -> int | None:
        """A raw head is ``[1, 4 + classes, anchors]``, or the same transposed."""
        shape = self.outputs[0].shape if self.outputs else ()
        if len(shape) != 3 or shape[2] == 6:
            return None
        return min(shape[1], shape[2]) - 4 if min(shape[1], shape[2]) > 4 else None

    def _classes_inside(self) -> int | None:
        """Before its NMS or top-k every head holds scores ``[1, anchors, k]`` and, with boxes, ``k + 4``."""
        side = max(self.inputs[0].shape, default=0) if self.inputs else 0
        anchors = sum((side // stride) ** 2 for stride in _STRIDES)
        widths = {
            shape[1] if shape[2] == anchors else shape[2]
            for shape in self.inner_shapes
            if len(shape) == 3 and shape[0] == 1 and anchors in shape[1:] and anchors > 0
        }
        fitting = [width for width in widths if width + 4 in widths]
        return fitting[0] if len(fitting) == 1 else None


def read_tflite(path: Path) -> TfliteFile:
    """Read the structure of a .tflite file.

    Raises:
        InputError: the file is missing or cannot be read.
        ModelError: it is no TFLite file, or a damaged one.
    """
    with open_input(path) as stream:
        head = stream.read(8)
        if head[4:8] != _IDENTIFIER:
            raise ModelError(f"{path} is not a TFLite file", hint="Its bytes 5 to 8 are not 'TFL3'.")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                inputs, outputs, shapes, integers = _structure(_Reader(data, path))
            except struct.error:
                raise ModelError(f"{path} is damaged: an offset points past the end of the file") from None
    return TfliteFile(path, inputs, outputs, shapes, integers, _embedded_metadata(path))


def _input_faults(inputs: tuple[TensorSpec, ...]) -> Iterator[str]:
    if len(inputs) != 1:
        yield f"it wants {len(inputs)} inputs, and the app gives one"
    spec = inputs[0]
    if len(spec.shape) == 4 and spec.shape[1] == 3 and spec.shape[3] != 3:
        yield f"its input {spec} is channel-first (NCHW), and the app gives interleaved RGB (NHWC)"
    elif len(spec.shape) != 4 or spec.shape[0] != 1 or spec.shape[3] != 3 or spec.shape[1] != spec.shape[2]:
        yield f"its input {spec} is not [1,S,S,3]"
    if spec.dtype not in {"float32", "uint8"}:
        yield f"its input is {spec.dtype}, and the app gives float32 or uint8"


def _output_faults(spec: TensorSpec) -> Iterator[str]:
    if len(spec.shape) != 3 or spec.shape[0] != 1 or spec.shape[2] != 6:
        raw = " (a raw head: boxes without NMS)" if len(spec.shape) == 3 and max(spec.shape) > 1000 else ""
        yield f"its first output {spec} is not [1,N,6]{raw}, rows of x1,y1,x2,y2,score,class"
    if spec.dtype != "float32":
        yield f"its first output is {spec.dtype}, and the app reads float32"


def _structure(
    reader: _Reader,
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...], frozenset[tuple[int, ...]], bool]:
    subgraphs = reader.tables(reader.root(), _MODEL_SUBGRAPHS)
    if not subgraphs:
        raise ModelError(f"{reader.path} is damaged: it holds no subgraph")
    tensors = reader.tables(subgraphs[0], _SUBGRAPH_TENSORS)
    inputs = reader.ints(subgraphs[0], _SUBGRAPH_INPUTS)
    outputs = reader.ints(subgraphs[0], _SUBGRAPH_OUTPUTS)
    if not all(0 <= index < len(tensors) for index in (*inputs, *outputs)):
        raise ModelError(f"{reader.path} is damaged: an input or output names a tensor that is not there")
    shapes = {
        reader.ints(tensor, _TENSOR_SHAPE)
        for subgraph in subgraphs
        for tensor in reader.tables(subgraph, _SUBGRAPH_TENSORS)
    }
    return (
        tuple(_tensor(reader, tensors[index]) for index in inputs),
        tuple(_tensor(reader, tensors[index]) for index in outputs),
        frozenset(shapes),
        _computes_with_integers(reader, subgraphs[0], tensors),
    )


def _computes_with_integers(reader: _Reader, subgraph: int, tensors: list[int]) -> bool:
    for operator in reader.tables(subgraph, _SUBGRAPH_OPERATORS):
        for index in reader.ints(operator, _OPERATOR_OUTPUTS):
            if 0 <= index < len(tensors):
                at = reader.field(tensors[index], _TENSOR_TYPE)
                if at and _TYPES[reader.number("<b", at) % len(_TYPES)] in {"int8", "uint8", "int16"}:
                    return True
    return False


def _tensor(reader: _Reader, table: int) -> TensorSpec:
    at = reader.field(table, _TENSOR_TYPE)
    code = reader.number("<b", at) if at else 0
    if not 0 <= code < len(_TYPES):
        raise ModelError(f"{reader.path}: a tensor has the unknown type {code}")
    scales, zeros = (), ()
    at = reader.field(table, _TENSOR_QUANTIZATION)
    if at:
        quantization = reader.follow(at)
        scales = reader.vector(quantization, _QUANTIZATION_SCALE, "f")
        zeros = reader.vector(quantization, _QUANTIZATION_ZERO, "q")
    return TensorSpec(
        reader.text(table, _TENSOR_NAME),
        reader.ints(table, _TENSOR_SHAPE),
        _TYPES[code],
        float(scales[0]) if scales else None,
        (int(zeros[0]) if zeros else 0) if scales else None,
    )


class _Reader:
    """Reads tables, vectors and strings of a FlatBuffer; a `struct.error` means: past the end."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self.data = data
        self.path = path
        self.items_left = _MAX_ITEMS

    def number(self, form: str, at: int) -> int:
        if at < 0:
            raise struct.error
        value: int = struct.unpack_from(form, self.data, at)[0]
        return value

    def root(self) -> int:
        return self.follow(0)

    def follow(self, at: int) -> int:
        """Return where the offset that stands at ``at`` points to."""
        return at + self.number("<I", at)

    def field(self, table: int, index: int) -> int:
        """Return where a field of a table stands; 0 where the table leaves it at its default."""
        vtable = table - self.number("<i", table)
        slot = 4 + 2 * index
        if slot + 2 > self.number("<H", vtable):
            return 0
        offset = self.number("<H", vtable + slot)
        return table + offset if offset else 0

    def vector(self, table: int, index: int, kind: str) -> tuple[Any, ...]:
        """Return a vector of numbers; ``kind`` is their `struct` letter."""
        at = self.field(table, index)
        if not at:
            return ()
        start = self.follow(at)
        count = self.number("<I", start)
        self.items_left -= count
        if self.items_left < 0:
            raise ModelError(f"{self.path} is damaged: its lists hold more than {_MAX_ITEMS} items")
        return struct.unpack_from(f"<{count}{kind}", self.data, start + 4)

    def ints(self, table: int, index: int) -> tuple[int, ...]:
        return self.vector(table, index, "i")

    def tables(self, table: int, index: int) -> list[int]:
        """Return where the tables of a vector stand."""
        at = self.field(table, index)
        if not at:
            return []
        start = self.follow(at) + 4
        return [start + 4 * i + offset for i, offset in enumerate(self.vector(table, index, "I"))]

    def text(self, table: int, index: int) -> str:
        at = self.field(table, index)
        if not at:
            return ""
        start = self.follow(at)
        length = min(self.number("<I", start), 1024)
        return bytes(self.data[start + 4 : start + 4 + length]).decode("utf-8", "replace")


def _embedded_metadata(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as stream:
            data = json.loads(stream.read(_MAX_METADATA))
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, RuntimeError, EOFError, OSError):
        # No zip, a damaged one, encrypted, of an unknown method, or not JSON: then it says nothing.
        return {}
    return data if isinstance(data, dict) else {}
