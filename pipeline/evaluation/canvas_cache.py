"""Pictures kept as the model takes them: fitted canvases by the picture's digest and the rule of fitting."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtime.resize import Fitting, Geometry
from pipeline.support.files import atomic_writer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MAGIC = b"RPC1"
_HEAD = struct.Struct("<4sIII")
"""Magic, width and height of the original picture, CRC-32 of the pixels."""


@dataclass(frozen=True, slots=True)
class CanvasCache:
    """A folder of canvases; what is not there or not whole is made again."""

    directory: Path
    fitting: Fitting
    reduced: bool = False
    """Whether pictures were decoded at reduced size: those are other pixels."""

    def get(self, digest: str) -> tuple[NDArray[np.uint8], Geometry] | None:
        """Return the canvas of the picture with this SHA-256 and where the picture lies in it, or None."""
        import numpy as np

        try:
            data = self._path(digest).read_bytes()
        except OSError:
            return None
        shape = (self.fitting.height, self.fitting.width, 3)
        if len(data) != _HEAD.size + shape[0] * shape[1] * 3:
            return None
        magic, width, height, checksum = _HEAD.unpack_from(data)
        pixels = memoryview(data)[_HEAD.size :]
        if magic != _MAGIC or min(width, height) < 1 or zlib.crc32(pixels) != checksum:
            return None
        return np.frombuffer(pixels, np.uint8).reshape(shape), self.fitting.geometry(width, height)

    def put(self, digest: str, canvas: NDArray[np.uint8], geometry: Geometry) -> None:
        """Keep a canvas.

        Raises:
            OutputError: the folder cannot be written.
        """
        pixels = canvas.tobytes()
        head = _HEAD.pack(_MAGIC, geometry.width, geometry.height, zlib.crc32(pixels))
        with atomic_writer(self._path(digest)) as stream:
            stream.write(head)
            stream.write(pixels)

    def _path(self, digest: str) -> Path:
        fit = self.fitting
        kind = f"{fit.width}x{fit.height}-{fit.rule}-{fit.filter}{'-reduced' if self.reduced else ''}"
        return self.directory / kind / digest[:2] / f"{digest}.canvas"
