"""How often something is tried, and how long to wait in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Patience:
    """Waits that double, up to a longest one."""

    tries: int = 6
    first_s: float = 1.0
    longest_s: float = 120.0
    """Also the longest wait that is granted where a service asks for one."""
    sleep: Callable[[float], None] = time.sleep

    def attempts(self) -> Iterator[int]:
        """Yield the number of each try, waiting before each but the first."""
        for attempt in range(self.tries):
            if attempt:
                self.pause(attempt - 1)
            yield attempt

    def pause(self, attempt: int, asked: float | None = None) -> None:
        """Wait ``asked`` seconds, or as long as the number of the try says."""
        self.sleep(min(self.first_s * 2.0**attempt if asked is None else asked, self.longest_s))


@dataclass(slots=True)
class Pace:
    """Keeps a time between the beginnings of two requests, so that a service is not run down."""

    interval_s: float = 0.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _next: float | None = field(init=False, default=None)

    def wait(self) -> None:
        """Return when the next request may be made."""
        now = self.clock()
        if self._next is not None and now < self._next:
            self.sleep(self._next - now)
            now = self._next
        self._next = now + self.interval_s
