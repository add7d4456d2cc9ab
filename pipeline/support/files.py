"""Files: written whole or not at all, hashed in streams, confined to a folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import IO

from pipeline.support.errors import InputError, OutputError, PathEscapeError

_CHUNK = 1 << 20


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    The data is flushed to disk before the rename, so a reader sees the old file or the whole new one. Where
    the block raises, what stood at ``path`` still stands and nothing is left behind. A file that is there
    keeps its mode; a link at ``path`` is replaced, not followed.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(_mode_for(path))
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        raise output_error(path, error) from error
    except BaseException:
        _discard(temporary)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, or leave what stands there.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    with atomic_writer(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as it is (no newline translation), whole or not at all.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    write_bytes(path, text.encode("utf-8"))


def copy_file(source: Path, target: Path) -> str:
    """Copy ``source`` over ``target``, whole or not at all, and return the SHA-256 of what was copied.

    Raises:
        InputError: ``source`` cannot be read.
        OutputError: ``target`` cannot be written.
    """
    digest = hashlib.sha256()
    with open_input(source) as stream, atomic_writer(target) as out:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Give an empty folder beside ``target`` that takes its place, whole, when the block ends well.

    ``target`` must not exist, or be an empty folder: a release or a candidate is never changed in place.

    Raises:
        OutputError: ``target`` is there already with something in it, or cannot be written.
    """
    if target.is_symlink() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise OutputError(f"{target} exists already", hint="Choose another name or remove it first.")
    staging: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{target.name[:80]}.", suffix=".part", dir=target.parent))
        yield staging
        staging.chmod(0o777 & ~_umask())
        staging.replace(target)
    except OSError as error:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        raise output_error(target, error) from error
    except BaseException:
        if staging is not None:
            shutil.rmtree(staging, ignore_errors=True)
        raise


@contextlib.contextmanager
def open_input(path: Path) -> Iterator[BufferedReader]:
    """Open a file that must be there.

    Raises:
        InputError: it is missing, a folder, or may not be read.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise input_error(path, error) from None
    with stream:
        yield stream


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file in lower-case hex, read in a stream.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    with open_input(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def confined(root: Path, relative: str, *, source: str) -> Path:
    """Join a path that a file names onto ``root``; links are followed before it is judged.

    Args:
        root: the folder that the path may not leave.
        relative: the path as it stands in the file.
        source: where it stands, for the error.

    Raises:
        PathEscapeError: it is absolute or leaves ``root`` by ``..`` or by a link.
    """
    if "\0" in relative:
        raise PathEscapeError(f"{source}: the path holds a NUL byte")
    path = Path(relative)
    if path.is_absolute() or "\\" in relative:
        raise PathEscapeError(
            f"{source}: the path {relative!r} is not relative with '/'",
            hint=f"Paths inside files are relative to {root}.",
        )
    joined = root / path
    if not is_within(joined, root):
        raise PathEscapeError(
            f"{source}: the path {relative!r} leaves {root}",
            hint="Paths inside files may not leave the workspace by '..' or by a link.",
        )
    return joined


def is_within(path: Path, root: Path) -> bool:
    """Tell whether ``path``, with every link followed, lies in ``root``."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def display_path(path: Path, base: Path | None = None) -> str:
    """Return a path as files record it: relative to ``base`` (or the working directory) where it lies in it.

    Always with ``/``.
    """
    base = (base or Path.cwd()).resolve()
    absolute = path if path.is_absolute() else Path.cwd() / path
    absolute = Path(os.path.normpath(absolute))
    try:
        return absolute.relative_to(base).as_posix()
    except ValueError:
        return absolute.as_posix()


def input_error(path: Path, error: OSError) -> InputError:
    """Turn the system's refusal to read ``path`` into an error in words."""
    if isinstance(error, FileNotFoundError):
        return InputError(f"{path} does not exist")
    if isinstance(error, IsADirectoryError):
        return InputError(f"{path} is a folder, not a file")
    return InputError(f"{path} cannot be read: {error.strerror or error}")


def output_error(path: Path, error: OSError) -> OutputError:
    """Turn the system's refusal to write ``path`` into an error in words."""
    if error.errno == errno.ENOSPC:
        return OutputError(f"{path} was not written: the disk is full", hint="What stood there still stands.")
    return OutputError(f"{path} cannot be written: {error.strerror or error}")


def _discard(path: Path | None) -> None:
    if path is not None:
        path.unlink(missing_ok=True)


def _mode_for(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return 0o666 & ~_umask()


def _umask() -> int:
    # There is no way to read the mask without setting it for an instant.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
