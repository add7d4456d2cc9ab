"""The pace that is kept between requests."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.support.patience import Pace


@given(st.lists(st.floats(0, 3), max_size=8), st.floats(0.1, 2))
def test_requests_begin_at_least_the_interval_apart_and_none_waits_longer_than_that(
    work: list[float], interval: float
) -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds

    pace = Pace(interval, sleep, lambda: now)
    begun = []
    for seconds in work:
        pace.wait()
        begun.append(now)
        now += seconds
    assert all(later - earlier >= interval - 1e-6 for earlier, later in pairwise(begun))
    assert all(0 < seconds <= interval + 1e-6 for seconds in slept)


def test_without_an_interval_nothing_waits() -> None:
    def never(_: float) -> None:
        raise AssertionError("slept")

    pace = Pace(sleep=never)
    for _ in range(3):
        pace.wait()
