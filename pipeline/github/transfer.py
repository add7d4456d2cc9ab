"""What goes over the wire: a body sent in a stream, an answer read as JSON, a file within a limit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.github.answers import Answer
from pipeline.support.errors import RemoteError

if TYPE_CHECKING:
    import requests


class BrokenAnswerError(Exception):
    """The connection broke, or what came back is no answer."""


class StreamBody:
    """What requests takes as a stream of known length."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


def answer_of(status: int, headers: Mapping[str, str], text: str) -> Answer:
    """Return what came back as an answer, its body read as JSON.

    Raises:
        BrokenAnswerError: a good answer has a body that is not JSON.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        data = json.loads(text) if text else None
    except (ValueError, RecursionError):
        if status < 300:
            raise BrokenAnswerError("the answer is not JSON") from None
        data = None
    return Answer(status, lower, data)


def limited(answer: requests.Response, max_bytes: int, what: str) -> Iterator[bytes]:
    """Yield the body of a file in a stream.

    Raises:
        RemoteError: it is larger than ``max_bytes``.
    """
    size = 0
    while chunk := answer.raw.read(1 << 20, decode_content=True):
        size += len(chunk)
        if size > max_bytes:
            raise RemoteError(f"{what}: larger than {max_bytes} bytes")
        yield chunk
