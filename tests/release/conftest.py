"""Small models and labels to release, made byte by byte: no interpreter is needed to read their structure."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

LABELS = ["Aluminum Can", "Cardboard", "Tin Can"]


def _put(buffer: bytearray, value: Any) -> int:
    """Append a FlatBuffers table (dict by field number), vector (list) or string; return where it stands."""
    buffer.extend(b"\0" * (-len(buffer) % 4))
    if isinstance(value, str):
        at = len(buffer)
        buffer += struct.pack("<I", len(value)) + value.encode() + b"\0"
        return at
    if isinstance(value, list):
        at = len(buffer)
        whole = value if all(isinstance(item, int) for item in value) else [0] * len(value)
        buffer += struct.pack(f"<I{len(value)}i", len(value), *whole)
        if whole is not value:
            for slot, item in zip(range(at + 4, at + 4 + 4 * len(value), 4), value, strict=True):
                struct.pack_into("<I", buffer, slot, _put(buffer, item) - slot)
        return at
    count = max(value) + 1
    slots = [4 + 4 * index if index in value else 0 for index in range(count)]
    vtable = len(buffer)
    buffer += struct.pack(f"<{2 + count}H", 4 + 2 * count, 4 + 4 * count, *slots)
    buffer.extend(b"\0" * (-len(buffer) % 4))
    at = len(buffer)
    buffer += struct.pack("<i", at - vtable) + b"\0" * 4 * count
    for index, item in value.items():
        slot = at + 4 + 4 * index
        if isinstance(item, int):
            buffer[slot] = item
        else:
            struct.pack_into("<I", buffer, slot, _put(buffer, item) - slot)
    return at


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a model with one input and one output of given shapes: ``model_file("m.tflite")``."""

    def write(
        name: str = "model.tflite",
        *,
        given: Sequence[int] = (1, 64, 64, 3),
        output: Sequence[int] = (1, 300, 6),
        names: Sequence[str] | None = LABELS,
        filler: bytes = b"",
    ) -> Path:
        tensors = [{0: list(given), 1: 0, 3: "images"}, {0: list(output), 1: 0, 3: "rows"}]
        model = {0: 3, 2: [{0: tensors, 1: [0], 2: [1]}]}
        buffer = bytearray(b"\0\0\0\0TFL3")
        struct.pack_into("<I", buffer, 0, _put(buffer, model))
        path = tmp_path / name
        path.write_bytes(bytes(buffer) + filler)
        if names is not None:
            with zipfile.ZipFile(path, "a") as archive:
                named = {str(index): label for index, label in enumerate(names)}
                entry = zipfile.ZipInfo("metadata.json", (2020, 1, 1, 0, 0, 0))
                archive.writestr(entry, json.dumps({"names": named}))
        return path

    return write


@pytest.fixture
def labels_file(tmp_path: Path) -> Path:
    """A labels file that fits `model_file`."""
    path = tmp_path / "model.labels.json"
    path.write_text(json.dumps(LABELS, indent=2) + "\n")
    return path
