"""Smaller weights in the exported file, by ai-edge-quantizer; input and output stay float32.

The box decode and the NMS stay float as well: box coordinates run to hundreds of pixels and scores to one,
and eight bits over both leave no score but zero. So do the last, tiny convolutions of the head, whose
outputs become boxes and scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.contracts.settings import Precision
from pipeline.support.errors import ExportError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = "serving_default"
INPUT = "args_0"

_FLOAT_PARTS = (
    # Names of output tensors, which carry the module they came from.
    r"ShippedGraph;",  # layout of the input, NMS
    r"nn\.modules\.head\.\w+_\d+;",  # box decode, concatenation of the levels
    r"nn\.modules\.block\.DFL_",
    r"nn\.modules\.head\.\w+_\d+/torch\.nn\.modules\.container\.Sequential_\d+/torch\.nn\.modules\.conv\.Conv2d_",
    rf"{SIGNATURE}_output",
)


def quantize(
    content: bytes, precision: Precision, *, pictures: Sequence[NDArray[np.float32]] = ()
) -> tuple[bytes, dict[str, Any]]:
    """Quantise a float32 .tflite.

    Args:
        content: the file's bytes.
        precision: ``float16`` (weights halved, arithmetic float32), ``dynamic-int8`` (weights int8,
            activations quantised while it runs) or ``int8`` (weights and activations, calibrated).
        pictures: for ``int8``: what it is calibrated on, each float32 ``[1,S,S,3]`` 0..1.

    Returns:
        The file's bytes, and what was done in words for the metadata.

    Raises:
        ExportError: there is nothing to calibrate on, or the quantiser refuses the model.
    """
    if precision == "float32":
        return content, {"method": "none"}
    if precision == "int8" and not pictures:
        raise ExportError(
            "int8 needs pictures to be calibrated on, and the bundle's training list has none",
            hint="Name a bundle with --bundle-dir, or pictures with --pictures.",
        )
    from ai_edge_quantizer import calibrator, quantizer

    work = quantizer.Quantizer(bytearray(content))
    calibration = None
    try:
        _add_recipe(work, precision)
        if precision == "int8":
            samples = [{INPUT: picture} for picture in pictures]
            calibration = work.calibrate(
                {SIGNATURE: samples},
                num_threads=1,
                mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
            )
        result = work.quantize(calibration)
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ExportError(
            f"ai-edge-quantizer cannot make this model {precision}: {reason}",
            hint="Export it as float32, or with another of --half, --int8 and --dynamic-int8.",
        ) from error
    described: dict[str, Any] = {"method": _METHODS[precision]}
    if precision == "int8":
        described["calibration_pictures"] = len(pictures)
    return bytes(result.quantized_model), described


_METHODS = {
    "float16": "weights of convolutions and matrix products in float16, arithmetic float32",
    "dynamic-int8": "weights int8 by channel, activations quantised while it runs; head and NMS float32",
    "int8": "weights and activations int8, calibrated; last head layers, box decode and NMS float32",
}


def _add_recipe(work: Any, precision: Precision) -> None:
    from ai_edge_quantizer import qtyping, recipe

    every = qtyping.TFLOperationName.ALL_SUPPORTED
    if precision == "float16":
        _add_half(work)
        return
    if precision == "dynamic-int8":
        work.add_dynamic_config(regex=".*", operation_name=every, num_bits=8)
    else:
        work.add_static_config(regex=".*", operation_name=every, activation_num_bits=8, weight_num_bits=8)
    parts = [(part, every) for part in _FLOAT_PARTS]
    parts += [(".*", name) for name in (qtyping.TFLOperationName.INPUT, qtyping.TFLOperationName.OUTPUT)]
    for regex, name in parts:
        work.update_quantization_recipe(
            regex=regex, operation_name=name, algorithm_key=recipe.AlgorithmName.NO_QUANTIZE
        )


def _add_half(work: Any) -> None:
    from ai_edge_quantizer import qtyping, recipe

    names = qtyping.TFLOperationName
    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            num_bits=16, dtype=qtyping.TensorDataType.FLOAT
        ),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    for name in (names.CONV_2D, names.DEPTHWISE_CONV_2D, names.FULLY_CONNECTED):
        work.update_quantization_recipe(
            regex=".*",
            operation_name=name,
            op_config=config,
            algorithm_key=recipe.AlgorithmName.FLOAT_CASTING,
        )
