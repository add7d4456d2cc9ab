"""Work is spread over threads, taken only as fast as it is done, and stops at the first error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from pipeline.support.pool import cores, spread


def test_every_item_is_done_once_by_workers_of_their_own() -> None:
    opened: set[int] = set()

    def open_worker() -> Callable[[int], int]:
        opened.add(threading.get_ident())
        return lambda item: item * item

    assert sorted(spread(range(100), open_worker, workers=3)) == [item * item for item in range(100)]
    assert 1 <= len(opened) <= 3


def test_items_are_not_taken_far_ahead_of_the_work() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(1000):
            taken += 1
            yield item

    results = spread(items(), lambda: lambda item: item, workers=2)
    next(results)
    assert taken <= 4
    assert len(list(results)) == 999


def test_the_first_error_ends_the_work() -> None:
    done: list[int] = []

    def work(item: int) -> int:
        if item == 3:
            raise ValueError("three")
        done.append(item)
        return item

    with pytest.raises(ValueError, match="three"):
        list(spread(range(1000), lambda: work, workers=2))
    assert len(done) < 20


def test_there_is_at_least_one_core() -> None:
    assert cores() >= 1
