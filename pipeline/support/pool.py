"""Work spread over threads, with no more of it in memory than the threads need."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def spread(items: Iterable[T], open_worker: Callable[[], Callable[[T], R]], *, workers: int) -> Iterator[R]:
    """Yield the results of ``items`` in the order in which they are done.

    Args:
        items: what is worked on; taken only as fast as the work goes on.
        open_worker: makes a thread's own worker, such as one with an interpreter; called in that thread.
        workers: how many threads.

    Raises:
        BaseException: whatever a worker raised first; work that has not begun is dropped.
    """
    own = threading.local()

    def work(item: T) -> R:
        if not hasattr(own, "worker"):
            own.worker = open_worker()
        result: R = own.worker(item)
        return result

    pending: set[Future[R]] = set()
    with ThreadPoolExecutor(workers, thread_name_prefix="repath") as pool:
        try:
            for item in items:
                pending.add(pool.submit(work, item))
                if len(pending) >= 2 * workers:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            for future in pending:
                future.cancel()
