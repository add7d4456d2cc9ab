"""What the engine builds from: the files that .dockerignore lets through, always as the same bytes."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

from pipeline.support.errors import InputError
from pipeline.support.files import input_error

DOCKERFILE = "Dockerfile.gpu"
_CACHE_MOUNT = re.compile(r"--mount=type=cache,\S+[ \t]*(\\\n[ \t]*)?")


def find_context(start: Path | None) -> Path:
    """Return the folder to build from: the one given, the working directory, or the package's checkout.

    Raises:
        InputError: none of them holds a ``Dockerfile.gpu``.
    """
    places = [start] if start is not None else [Path.cwd(), Path(__file__).resolve().parents[2]]
    for place in places:
        if (place / DOCKERFILE).is_file():
            return place.resolve()
    raise InputError(
        f"there is no {DOCKERFILE} in {' or '.join(map(str, places))}",
        hint="The image is built from a checkout of the repository: stand in it, or name it with --context.",
    )


def pack_context(root: Path, *, cache_mounts: bool) -> io.BytesIO:
    """Return the build context as a tar file, which `docker build` reads from standard input.

    Args:
        root: the checkout.
        cache_mounts: whether the builder knows ``RUN --mount=type=cache``. The one behind Docker's own API
            does not (BuildKit is reached in other ways), and these mounts only save time, so they are
            left out for it.

    Raises:
        InputError: a file cannot be read.
    """
    from docker.utils.build import exclude_paths

    try:
        names = sorted(exclude_paths(str(root), _ignored(root), dockerfile=DOCKERFILE))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in names:
                path = root / name
                if path.is_symlink() or not path.is_file():
                    continue  # a link could lead out of the checkout
                data = path.read_bytes()
                if name == DOCKERFILE and not cache_mounts:
                    data = _CACHE_MOUNT.sub("", data.decode("utf-8")).encode()
                archive.addfile(_entry(path, name, len(data)), io.BytesIO(data))
    except OSError as error:
        raise input_error(root, error) from error
    packed.seek(0)
    return packed


def _ignored(root: Path) -> list[str]:
    path = root / ".dockerignore"
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _entry(path: Path, name: str, size: int) -> tarfile.TarInfo:
    """Describe a file by what the build depends on alone, so that all checkouts of a commit are alike."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    return entry
