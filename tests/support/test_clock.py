"""The time: UTC, and fixed where outputs must repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipeline.support import clock
from pipeline.support.errors import UsageError


def test_the_time_is_in_utc() -> None:
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().tzinfo is UTC


def test_source_date_epoch_fixes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1771270563")
    assert clock.timestamp() == "2026-02-16T19:36:03.000Z"
    assert clock.run_id() == "20260216-193603"


def test_milliseconds_are_cut_not_rounded() -> None:
    assert clock.timestamp(datetime(2026, 1, 1, 0, 0, 0, 999_999, UTC)) == "2026-01-01T00:00:00.999Z"


@pytest.mark.parametrize("value", ["today", "1.5", "9" * 30, " ", "0x10"])
def test_a_variable_that_is_no_time_is_wrong_usage(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
    with pytest.raises(UsageError, match="whole seconds since 1970"):
        clock.now()
