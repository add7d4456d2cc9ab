"""Progress on stderr: a bar with rate and time left on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

LOG_EVERY_S = 5.0
"""Seconds between two lines of progress in a log."""


def track(items: Iterable[T], *, total: int, what: str) -> Iterator[T]:
    """Yield ``items`` while showing how far they are.

    Args:
        items: what is worked on.
        total: how many there are.
        what: the work in a word or two, such as ``Resolving pictures``.
    """
    if total == 0:
        yield from items
    elif sys.stderr.isatty():
        yield from _bar(items, total, what)
    else:
        yield from _lines(items, total, what)


def track_bytes(chunks: Iterable[bytes], *, what: str) -> Iterator[bytes]:
    """Yield the chunks of a download whose size may not be known, while showing how much has come."""
    return _bytes_bar(chunks, what) if sys.stderr.isatty() else _bytes_lines(chunks, what)


def _bytes_bar(chunks: Iterable[bytes], what: str) -> Iterator[bytes]:
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn
    from rich.text import Text

    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(Text(what).markup, total=None)
        for chunk in chunks:
            yield chunk
            progress.update(task, advance=len(chunk))


def _bytes_lines(chunks: Iterable[bytes], what: str) -> Iterator[bytes]:
    started = said = time.monotonic()
    size = 0
    for chunk in chunks:
        yield chunk
        size += len(chunk)
        now = time.monotonic()
        if now - said >= LOG_EVERY_S:
            said = now
            rate = size / (now - started) / 1e6
            print(f"{what}: {size / 1e6:,.0f} MB, {rate:.1f} MB/s", file=sys.stderr, flush=True)  # noqa: T201


def _bar(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, rate="")
        started = time.monotonic()
        for done, item in enumerate(items, start=1):
            yield item
            rate = done / max(time.monotonic() - started, 1e-6)
            progress.update(task, advance=1, rate=f"{rate:.1f}/s")


def _lines(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    started = said = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - said >= LOG_EVERY_S:
            said = now
            rate = done / (now - started)
            left = (total - done) / rate
            print(f"{what}: {done}/{total}, {rate:.1f}/s, {left:.0f} s left", file=sys.stderr, flush=True)  # noqa: T201
