"""TFLite wants the condition and the body of a loop as functions of their own: this makes them so.

litert-converter 0.5 turns a loop into ``tfl.while`` with both written inline, which its writer then refuses
("Failed to export flatbuffer"): the pass that moves them out is not in its pipeline. What it does is what
TensorFlow's ``tfl-while-loop-outline`` does: values from outside become operands, constants are copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def outline_loops(module: Any) -> None:
    """Move condition and body of every ``tfl.while`` of an MLIR module into functions of the module."""
    loops = [op for op in _operations(module.body) if op.name == "tfl.while"]
    for number, loop in enumerate(loops):
        with loop.context, loop.location:
            _outline(module.body, loop, number)


def _outline(module_body: Any, loop: Any, number: int) -> None:
    from litert_converter.mlir import ir

    blocks = [region.blocks[0] for region in loop.regions]
    outside: list[Any] = []
    for block in blocks:
        _take_in(block, outside)
    operands = [*loop.operands, *outside]
    types = [value.type for value in operands]
    functions = [
        _function(module_body, block, f"loop_{number}_{what}", types, outside, passes_on=what == "body")
        for block, what in zip(blocks, ("condition", "body"), strict=True)
    ]
    attributes = {name: loop.attributes[name] for name in ("is_stateless",) if name in loop.attributes}
    new = ir.Operation.create(
        "tfl.while",
        results=types,
        operands=operands,
        attributes=attributes,
        regions=2,
        ip=ir.InsertionPoint(loop),
    )
    for region, function in zip(new.regions, functions, strict=True):
        _call(region.blocks.append(*types), function)
    for old, result in zip(list(loop.results), list(new.results), strict=False):
        old.replace_all_uses_with(result)
    loop.erase()


def _take_in(block: Any, outside: list[Any]) -> None:
    """Copy the constants that a region uses into it, and note the other values it uses from outside."""
    from litert_converter.mlir import ir

    first = block.operations[0]
    copies: dict[str, Any] = {}
    for op in _operations(block):
        for index, value in enumerate(op.operands):
            if _home(value) == block:
                continue
            if not isinstance(value.owner, ir.Block) and value.owner.operation.name == "arith.constant":
                key = value.get_name()
                if key not in copies:
                    copies[key] = value.owner.operation.clone(ip=ir.InsertionPoint(first)).results[0]
                op.operands[index] = copies[key]
            elif value not in outside:
                outside.append(value)


def _function(
    module_body: Any, block: Any, name: str, types: list[Any], outside: list[Any], *, passes_on: bool
) -> Any:
    from litert_converter.mlir import ir
    from litert_converter.mlir.dialects import func

    operations = [op.operation for op in block.operations]
    end = operations.pop()
    given = [value.type for value in end.operands]
    if passes_on:
        given += [value.type for value in outside]
    with ir.InsertionPoint(module_body):
        function = func.FuncOp(name, (types, given), visibility="private")
    entry = function.add_entry_block()
    arguments = list(entry.arguments)
    for old, new in zip(list(block.arguments), arguments, strict=False):
        old.replace_all_uses_with(new)
    inner = arguments[len(block.arguments) :]
    for op in operations:
        for index, value in enumerate(op.operands):
            if value in outside:
                op.operands[index] = inner[outside.index(value)]
        entry.append(op)
    with ir.InsertionPoint(entry):
        func.ReturnOp([*end.operands, *(inner if passes_on else [])])
    end.erase()
    return function


def _call(block: Any, function: Any) -> None:
    from litert_converter.mlir import ir
    from litert_converter.mlir.dialects import func

    with ir.InsertionPoint(block):
        call = func.CallOp(function, list(block.arguments))
        ir.Operation.create("tfl.yield", operands=list(call.results))


def _home(value: Any) -> Any:
    """Return the block that a value is made in."""
    from litert_converter.mlir import ir

    owner = value.owner
    return owner if isinstance(owner, ir.Block) else owner.operation.block


def _operations(block: Any) -> Iterator[Any]:
    for op in block.operations:
        yield op.operation
        for region in op.operation.regions:
            for inner in region.blocks:
                yield from _operations(inner)
