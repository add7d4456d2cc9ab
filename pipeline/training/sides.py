"""The two sides of the parity gate: PyTorch with NMS outside the graph, and the file in LiteRT."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.contracts.settings import ShippedHead
from pipeline.runtime.decode import RawDetections, decode, dequantized
from pipeline.runtime.inspect import inspect_model
from pipeline.runtime.interpreters import TfliteBackend
from pipeline.support.files import open_input
from pipeline.training.parity import Sees
from pipeline.training.weights import Weights

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Thresholds(Protocol):
    """What both sides must agree on."""

    @property
    def imgsz(self) -> int:
        """Side of the input."""
        ...

    @property
    def iou(self) -> float:
        """Overlap above which NMS drops the lower-scored box."""
        ...

    @property
    def max_det(self) -> int:
        """Detections for a picture."""
        ...


def reference_side(weights: Weights, head: ShippedHead, thresholds: Thresholds, *, conf: float) -> Sees:
    """Return what PyTorch sees: the model as it was trained, with NMS by NumPy, independent of the export."""
    import numpy as np

    from pipeline.runtime.pytorch import from_module

    model = copy.deepcopy(weights.model).cpu().float().eval()
    model.end2end = head == "end2end"
    model.model[-1].max_det = thresholds.max_det
    opened = from_module(model, source=str(weights.path), imgsz=thresholds.imgsz)

    def sees(canvas: NDArray[np.uint8], name: str) -> RawDetections:
        tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None]).astype(np.float32) / np.float32(255)
        return _decoded(opened.backend(tensor), opened.head, len(opened.names), thresholds, conf, name)

    return sees


def exported_side(path: Path, thresholds: Thresholds, *, classes: int, conf: float) -> Sees:
    """Return what the exported file gives in LiteRT, read as the app and the benchmark read it.

    Raises:
        ModelError: the file is not what a detector's file must be.
    """
    import numpy as np

    io = inspect_model(path)
    with open_input(path) as stream:
        backend = TfliteBackend(
            stream.read(),
            runtime="litert",
            threads=1,
            source=str(path),
            # The kernels that the benchmark will run it on.
            plain_kernels=io.integer_activations,
        )
    spec = io.outputs[0]

    def sees(canvas: NDArray[np.uint8], name: str) -> RawDetections:
        output = backend(canvas[None].astype(np.float32) / np.float32(255))
        return _decoded(
            dequantized(output, spec.scale, spec.zero_point), io.head, classes, thresholds, conf, name
        )

    return sees


def _decoded(
    output: Any, head: Any, classes: int, thresholds: Thresholds, conf: float, name: str
) -> RawDetections:
    return decode(
        output,
        head,
        classes=classes,
        size=(thresholds.imgsz, thresholds.imgsz),
        conf=conf,
        iou=thresholds.iou,
        max_detections=thresholds.max_det,
        picture=name,
    )
