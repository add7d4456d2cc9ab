"""How often something is tried again, and how long to wait in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


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
