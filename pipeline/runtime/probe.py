"""A model file is loaded and run once in a process of its own before this one touches it.

Interpreters are C++ over bytes that may come from anywhere: a damaged or hostile file can abort the process
that loads it. It may abort the probe.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.runtime.heads import head_of, input_form
from pipeline.runtime.interpreters import TfliteBackend, TfliteRuntime, require_runtime
from pipeline.support.errors import ModelError, RepathError
from pipeline.support.files import open_input
from pipeline.support.tflite_file import read_tflite

TIMEOUT_S = 300
_START = (
    "import sys; sys.path[:] = sys.argv[3].splitlines(); "
    "from pipeline.runtime.probe import main; main(sys.argv[1], sys.argv[2])"
)


def probe(path: Path, *, digest: str, runtime: TfliteRuntime) -> str | None:
    """Run a model once on a picture of noise, in another process.

    Args:
        path: the model.
        digest: its SHA-256: the same bytes are probed once.
        runtime: the interpreter to use.

    Returns:
        Whether its boxes are in ``pixels`` or ``normalised``; None where it found nothing to tell by.

    Raises:
        ModelError: the interpreter refuses the file, aborts, or does not end.
        MissingExtraError: the interpreter is not installed.
    """
    require_runtime(runtime)
    return _probed(str(path), digest, runtime)


@lru_cache(maxsize=64)
def _probed(path: str, digest: str, runtime: TfliteRuntime) -> str | None:  # noqa: ARG001 - a key of the cache
    # -P: the working directory may hold anything, such as a json.py.
    command = [sys.executable, "-P", "-c", _START, path, runtime, "\n".join(sys.path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False, text=True)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise ModelError(f"{path}: one run of the model did not end within {TIMEOUT_S} s") from None
    if done.returncode < 0:
        raise ModelError(
            f"{path}: the interpreter aborts on this file (signal {-done.returncode})",
            hint="The file is damaged or not made by a TFLite converter.",
        )
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        raise ModelError(f"{path}: the trial run ended without an answer: {done.stderr[-300:]}") from None
    if "error" in answer:
        raise ModelError(answer["error"], hint=answer["hint"])
    coordinates: str | None = answer["coordinates"]
    return coordinates


def main(path: str, runtime: TfliteRuntime) -> None:
    """Run in the process of the probe: print one line of JSON."""
    try:
        answer: dict[str, Any] = {"coordinates": _run_once(Path(path), runtime)}
    except RepathError as error:
        answer = {"error": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(answer) + "\n")


def _run_once(path: Path, runtime: TfliteRuntime) -> str | None:
    import numpy as np

    from pipeline.runtime.decode import coordinates_of, dequantized

    file = read_tflite(path)
    form = input_form(file.inputs, source=str(path))
    head = head_of(file.outputs, form, classes=file.class_count, source=str(path))
    with open_input(path) as stream:
        backend = TfliteBackend(
            stream.read(),
            runtime=runtime,
            threads=1,
            source=str(path),
            plain_kernels=file.integer_activations,
        )
    noise = np.random.default_rng(0).integers(0, 128, file.inputs[0].shape).astype(file.inputs[0].dtype)
    output = backend(noise / np.float32(127) if noise.dtype == np.float32 else noise)
    spec = file.outputs[0]
    if output.shape != spec.shape:
        raise ModelError(f"{path}: the first output came out as {list(output.shape)} where {spec} was said")
    return coordinates_of(dequantized(output, spec.scale, spec.zero_point), head)
