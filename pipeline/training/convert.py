"""From the graph in PyTorch to the bytes of a .tflite, by litert-torch."""

from __future__ import annotations

import warnings
from typing import Any

from pipeline.support.errors import ExportError


def convert(graph: Any, *, imgsz: int) -> bytes:
    """Convert a prepared graph (`pipeline.training.graph.shipped_graph`) to a flatbuffer, float32.

    The same weights give the same bytes. Nothing is appended: the file carries no date.

    Raises:
        ExportError: litert-torch cannot convert the model.
    """
    import litert_torch
    import torch
    from litert_converter import converter_api_ext

    from pipeline.training.nms_graph import register_lowering
    from pipeline.training.while_outline import outline_loops

    register_lowering()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converted = litert_torch.convert(graph, (torch.zeros(1, imgsz, imgsz, 3),))
            # The public `export` would refuse the loop; see `while_outline`.
            module = converted._exporter.module
            outline_loops(module)
            content: bytes = converter_api_ext.export_flatbuffer_to_bytes(module.operation)
    except (RuntimeError, ValueError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ExportError(f"litert-torch cannot convert this model: {reason}") from error
    return content
