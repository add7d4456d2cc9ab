"""Small real .tflite files whose output is what a test wants: 0 times the input, plus a constant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Quantized = tuple[float, int]
"""Scale and zero point."""


def tiny_model(
    path: Path,
    output: np.ndarray,
    *,
    input_shape: Sequence[int] = (1, 32, 32, 3),
    input_int8: Quantized | None = None,
    output_int8: Quantized | None = None,
    extra_input: bool = False,
) -> Path:
    """Write a model that takes ``input_shape`` and always gives ``output``."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    builder = _Builder(schema)
    axes = builder.constant("axes", np.arange(1, len(input_shape), dtype=np.int32))
    zero = builder.constant("zero", np.zeros(1, np.float32))
    result = builder.constant("constant", output.astype(np.float32))
    picture = builder.tensor("picture", input_shape, quantized=input_int8)
    inputs = [picture]
    if extra_input:
        inputs.append(builder.tensor("threshold", [1]))
    if input_int8:
        real = builder.tensor("real", input_shape)
        builder.operator("DEQUANTIZE", [picture], [real])
        picture = real
    total, nothing = builder.tensor("total", [1]), builder.tensor("nothing", [1])
    builder.operator("SUM", [picture, axes], [total], schema.ReducerOptionsT(), "ReducerOptions")
    builder.operator("MUL", [total, zero], [nothing], schema.MulOptionsT(), "MulOptions")
    last = builder.tensor("last", output.shape)
    builder.operator("ADD", [result, nothing], [last], schema.AddOptionsT(), "AddOptions")
    if output_int8:
        stored = builder.tensor("stored", output.shape, quantized=output_int8)
        builder.operator("QUANTIZE", [last], [stored])
        last = stored
    packer = flatbuffers.Builder(1024)
    packer.Finish(builder.model(inputs, [last]).Pack(packer), b"TFL3")
    path.write_bytes(packer.Output())
    return path


class _Builder:
    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.tensors: list[Any] = []
        self.buffers: list[Any] = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: list[Any] = []

    def tensor(
        self, name: str, shape: Sequence[int], *, quantized: Quantized | None = None, type_: str = "FLOAT32"
    ) -> int:
        tensor = self.schema.TensorT()
        tensor.name = name
        tensor.shape = list(shape)
        tensor.type = getattr(self.schema.TensorType, "INT8" if quantized else type_)
        tensor.buffer = 0
        if quantized:
            tensor.quantization = self.schema.QuantizationParametersT()
            tensor.quantization.scale = [quantized[0]]
            tensor.quantization.zeroPoint = [quantized[1]]
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, values: np.ndarray) -> int:
        index = self.tensor(name, values.shape, type_="INT32" if values.dtype == np.int32 else "FLOAT32")
        buffer = self.schema.BufferT()
        buffer.data = list(values.tobytes())
        self.buffers.append(buffer)
        self.tensors[index].buffer = len(self.buffers) - 1
        return index

    def operator(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        options: Any = None,
        options_type: str = "NONE",
    ) -> None:
        code = self.schema.OperatorCodeT()
        code.builtinCode = getattr(self.schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        self.codes.append(code)
        operator = self.schema.OperatorT()
        operator.opcodeIndex = len(self.codes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, options_type)
        operator.builtinOptions = options
        self.operators.append(operator)

    def model(self, inputs: list[int], outputs: list[int]) -> Any:
        subgraph = self.schema.SubGraphT()
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs, subgraph.outputs = inputs, outputs
        model = self.schema.ModelT()
        model.version = 3
        model.operatorCodes, model.subgraphs, model.buffers = self.codes, [subgraph], self.buffers
        return model
