"""The one detector that benchmark, parity gate and report use, whatever runs the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipeline.runtime.decode import MAX_DETECTIONS, NMS_IOU, decode, dequantized
from pipeline.runtime.heads import Head, InputForm
from pipeline.runtime.inspect import inspect_model, require_class_count
from pipeline.runtime.interpreters import Backend, TfliteBackend
from pipeline.runtime.resize import Filter, Fitting, Geometry, ResizeRule
from pipeline.support.errors import UsageError
from pipeline.support.files import open_input
from pipeline.support.tflite_file import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Runtime = Literal["litert", "tensorflow", "pytorch"]

CONF = 0.05
"""The score below which detections are left out unless another floor is asked for."""


@dataclass(frozen=True, slots=True)
class Detection:
    """One detection: corners ``x1,y1,x2,y2`` in pixels of the original picture, score 0..1."""

    label: str
    class_id: int
    score: float
    box: tuple[float, float, float, float]


class Detector(Protocol):
    """Finds labels in a picture. One thread at a time may use it.

    `detect` is `fit`, `load`, `invoke` and `decode` in a row; the steps stand alone for measuring and
    caching.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels by class id."""
        ...

    @property
    def fitting(self) -> Fitting:
        """How pictures are fitted into the input."""
        ...

    def fit(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Geometry]:
        """Fit a picture, uint8 ``[h,w,3]``, into the canvas, uint8 ``[H,W,3]``."""
        ...

    def load(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        """Lay a canvas out as the model wants it: layout, type, range."""
        ...

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model; the first output as it is stored."""
        ...

    def decode(
        self, output: NDArray[Any], geometry: Geometry, *, picture: str, conf: float | None = None
    ) -> list[Detection]:
        """Return detections in pixels of the original picture, best first.

        Raises:
            ModelError: values that are NaN or infinite, scores outside 0..1, a class id beyond the labels.
        """
        ...

    def detect(
        self, rgb: NDArray[np.uint8], *, picture: str = "picture", conf: float | None = None
    ) -> list[Detection]:
        """Return what is found on a picture, best first.

        Args:
            rgb: uint8 ``[h,w,3]``.
            picture: its path or url, for errors.
            conf: the floor of scores, where it is not the detector's own.

        Raises:
            ModelError: as for `decode`.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Limits:
    conf: float
    iou: float
    max_detections: int


@dataclass(slots=True)
class _ModelDetector:
    labels: tuple[str, ...]
    fitting: Fitting
    limits: _Limits
    backend: Backend
    input: TensorSpec
    output: TensorSpec
    form: InputForm
    head: Head
    _tensor: NDArray[Any] | None = field(default=None)

    def fit(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Geometry]:
        return self.fitting.fit(rgb)

    def load(self, canvas: NDArray[np.uint8]) -> NDArray[Any]:
        import numpy as np

        if self._tensor is None:
            self._tensor = np.empty(self.input.shape, self.input.dtype)
        picture = canvas if self.form.layout == "NHWC" else canvas.transpose(2, 0, 1)
        if self.input.dtype == "float32":
            # A division, as in training: times 1/255 differs in the last bit.
            np.divide(picture, np.float32(255), out=self._tensor[0], dtype=np.float32)
        else:
            np.take(_stored_bytes(self.input), picture, out=self._tensor[0])
        return self._tensor

    def invoke(self, tensor: NDArray[Any]) -> NDArray[Any]:
        return self.backend(tensor)

    def decode(
        self, output: NDArray[Any], geometry: Geometry, *, picture: str, conf: float | None = None
    ) -> list[Detection]:
        found = decode(
            dequantized(output, self.output.scale, self.output.zero_point),
            self.head,
            classes=len(self.labels),
            size=(self.form.height, self.form.width),
            conf=self.limits.conf if conf is None else conf,
            iou=self.limits.iou,
            max_detections=self.limits.max_detections,
            picture=picture,
        )
        rows = zip(
            geometry.to_picture(found.boxes).tolist(),
            found.scores.tolist(),
            found.class_ids.tolist(),
            strict=True,
        )
        return [Detection(self.labels[index], index, score, tuple(box)) for box, score, index in rows]

    def detect(
        self, rgb: NDArray[np.uint8], *, picture: str = "picture", conf: float | None = None
    ) -> list[Detection]:
        canvas, geometry = self.fit(rgb)
        return self.decode(self.invoke(self.load(canvas)), geometry, picture=picture, conf=conf)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that was read and checked once; gives each worker a detector of its own."""

    source: str
    sha256: str
    labels: tuple[str, ...]
    runtime: Runtime
    fitting: Fitting
    coordinates: str | None
    _open: Callable[[], Detector] = field(repr=False)

    def detector(self) -> Detector:
        """Open a detector; the model's bytes are shared between all of one model."""
        return self._open()


def load_model(
    path: Path,
    labels: Sequence[str],
    *,
    runtime: Runtime = "litert",
    resize: ResizeRule = "stretch",
    filter: Filter = "opencv-linear",  # noqa: A002 - the word of the flag and of the results
    conf: float = CONF,
    iou: float = NMS_IOU,
    max_detections: int = MAX_DETECTIONS,
    threads: int = 1,
    device: str | None = None,
    imgsz: int | None = None,
    trial: bool = True,
) -> LoadedModel:
    """Read and check a model.

    Args:
        path: a .tflite, or with the runtime ``pytorch`` a .pt. A .pt is a pickle and runs code when it is
            read: only one that the user named, or that is ours by digest, may come here.
        labels: the labels by class id.
        runtime: what runs it.
        resize: how a picture is fitted into the input: ``stretch`` as the app does, or ``letterbox``.
        filter: the filter of the resize.
        conf: detections with a lower score are left out.
        iou: the overlap of the NMS that raw heads are given.
        max_detections: no more than these for one picture.
        threads: threads of one interpreter.
        device: for ``pytorch``: ``cpu`` or a GPU such as ``cuda:0``; the interpreters know only the CPU.
        imgsz: for ``pytorch``: the side of the input, where it is not the one that it was trained at.
        trial: for a .tflite: run it once in a process of its own before this one loads it.

    Raises:
        InputError: the file is missing.
        ModelError: it cannot be used, or the labels are not as many as its classes.
        MissingExtraError: a library that is needed is not installed.
        UsageError: a device was asked for that the runtime or the machine does not have.
    """
    limits = _Limits(conf, iou, max_detections)
    if runtime == "pytorch":
        return _load_checkpoint(path, tuple(labels), resize, filter, limits, device or "cpu", imgsz)
    if device not in {None, "cpu"}:
        raise UsageError(f"the runtime {runtime!r} runs on the CPU alone, and {device!r} was asked for")
    io = inspect_model(path, runtime=runtime, trial=False)
    require_class_count(io.source, io.classes, labels)
    if trial:
        io = inspect_model(path, runtime=runtime)
    fitting = Fitting(io.form.height, io.form.width, resize, filter)
    with open_input(path) as stream:
        content = stream.read()

    def open_tflite() -> Detector:
        backend = TfliteBackend(
            content,
            runtime=runtime,
            threads=threads,
            source=io.source,
            plain_kernels=io.integer_activations,
        )
        return _ModelDetector(
            tuple(labels), fitting, limits, backend, io.input, io.outputs[0], io.form, io.head
        )

    return LoadedModel(io.source, io.sha256, tuple(labels), runtime, fitting, io.coordinates, open_tflite)


def _load_checkpoint(
    path: Path,
    labels: tuple[str, ...],
    resize: ResizeRule,
    resize_filter: Filter,
    limits: _Limits,
    device: str,
    imgsz: int | None,
) -> LoadedModel:
    from pipeline.runtime.pytorch import open_checkpoint

    opened = open_checkpoint(path, imgsz=imgsz, device=device)
    require_class_count(str(path), len(opened.names), labels)
    fitting = Fitting(opened.form.height, opened.form.width, resize, resize_filter)

    def open_torch() -> Detector:
        return _ModelDetector(
            labels, fitting, limits, opened.backend, opened.input, opened.output, opened.form, opened.head
        )

    return LoadedModel(str(path), opened.sha256, labels, "pytorch", fitting, "pixels", open_torch)


def open_detector(path: Path, labels: Sequence[str], **settings: Any) -> Detector:
    """Open one detector; arguments and errors are those of `load_model`."""
    return load_model(path, labels, **settings).detector()


def _stored_bytes(spec: TensorSpec) -> NDArray[Any]:
    """Return what each byte 0..255 of a picture becomes in a quantised input: the nearest stored value."""
    import numpy as np

    limits = np.iinfo(spec.dtype)
    stored = np.rint(np.arange(256) / 255 / (spec.scale or 1.0)) + (spec.zero_point or 0)
    values: NDArray[Any] = np.clip(stored, limits.min, limits.max).astype(spec.dtype)
    return values
