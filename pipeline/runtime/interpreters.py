"""The two interpreters of a TFLite file: LiteRT, and TensorFlow's as a second opinion on the same bytes."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any, Literal, Protocol

from pipeline.support.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TfliteRuntime = Literal["litert", "tensorflow"]

_LIBRARIES = {
    "litert": ("ai_edge_litert", "bench"),
    "tensorflow": ("tensorflow", "tensorflow"),
    "pytorch": ("torch", "train"),
}
"""The library behind each runtime, and the extra that installs it."""


class Backend(Protocol):
    """Runs a model: a tensor of the input's shape and type in, the first output as it is stored out."""

    def __call__(self, tensor: NDArray[Any]) -> NDArray[Any]:
        """Run the model once."""
        ...


class TfliteBackend:
    """One interpreter; it may be used by one thread at a time, and lets other threads run meanwhile.

    Statically quantised models run on TFLite's own kernels, not on XNNPACK: with that of TensorFlow 2.21 the
    best score was 0.02 where all others gave 0.22 (two real files, x86), and both must give the same. Float
    and dynamic-range models agree bit by bit.
    """

    def __init__(
        self,
        content: bytes,
        *,
        runtime: TfliteRuntime,
        threads: int,
        source: str,
        plain_kernels: bool = False,
    ) -> None:
        self.source = source
        try:
            self._interpreter = _interpreter(content, runtime, threads, plain_kernels)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{source}: the interpreter refuses the model: {_one_line(error)}") from None
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
        """Run the model once.

        Raises:
            ModelError: the interpreter fails.
        """
        try:
            self._interpreter.set_tensor(self._input, tensor)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"{self.source}: the model fails when it is run: {_one_line(error)}") from None
        output: NDArray[np.generic] = self._interpreter.get_tensor(self._output)
        return output


def require_runtime(runtime: str) -> None:
    """Check that the library behind a runtime is installed, without importing it.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    library, extra = _LIBRARIES[runtime]
    if find_spec(library) is None:
        raise MissingExtraError(library, extra, why=f"The runtime {runtime!r}")


def runtime_version(runtime: str) -> str:
    """Return name and version of the library behind a runtime, such as ``ai-edge-litert 2.3.0``."""
    from importlib.metadata import PackageNotFoundError, version

    package = _LIBRARIES[runtime][0].replace("_", "-")
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _interpreter(content: bytes, runtime: TfliteRuntime, threads: int, plain_kernels: bool) -> Any:
    require_runtime(runtime)
    if runtime == "litert":
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = _kernels(OpResolverType, plain_kernels)
        return Interpreter(model_content=content, num_threads=threads, experimental_op_resolver_type=kernels)
    # TensorFlow tells of missing GPUs on import, and that this interpreter moves to LiteRT: both are known.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow as tf

        kernels = _kernels(tf.lite.experimental.OpResolverType, plain_kernels)
        return tf.lite.Interpreter(
            model_content=content, num_threads=threads, experimental_op_resolver_type=kernels
        )


def _kernels(resolvers: Any, plain: bool) -> Any:
    return resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else resolvers.AUTO


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
