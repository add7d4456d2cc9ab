"""Files of the API, read in a stream, hashed on the way, and kept where a place is given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.github.client import GitHubClient
from pipeline.release.host import Downloaded
from pipeline.support.files import atomic_writer
from pipeline.support.progress import track_bytes


def save(
    client: GitHubClient,
    path: str,
    target: Path | None,
    *,
    max_bytes: int,
    what: str,
    accept: str = "application/octet-stream",
    follow: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None,
) -> Downloaded:
    """Read a file of the API, and show how far it is, by ``follow`` where the caller knows its size.

    Raises:
        RemoteMissingError: there is no such file.
        RemoteError: it is larger than ``max_bytes``, or GitHub refuses or gives no answer.
        OutputError: ``target`` cannot be written.
    """
    done: list[Downloaded] = []
    shown = follow or (lambda chunks: track_bytes(chunks, what=what.capitalize()))

    def take(chunks: Iterator[bytes]) -> None:
        if target is None:
            done.append(_hashed(shown(chunks)))
            return
        with atomic_writer(target) as out:
            done.append(_hashed(_written(shown(chunks), out.write)))

    client.download(path, max_bytes=max_bytes, take=take, what=what, accept=accept)
    return done[-1]


def _hashed(chunks: Iterator[bytes]) -> Downloaded:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return Downloaded(size, digest.hexdigest())


def _written(chunks: Iterator[bytes], write: Callable[[bytes], object]) -> Iterator[bytes]:
    for chunk in chunks:
        write(chunk)
        yield chunk
