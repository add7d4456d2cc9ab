"""The time, taken once for a run, and fixed by ``SOURCE_DATE_EPOCH`` where outputs must repeat byte for byte.

Source: https://reproducible-builds.org/specs/source-date-epoch/
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from pipeline.support.errors import UsageError


def now() -> datetime:
    """Return the time in UTC, or the one that ``SOURCE_DATE_EPOCH`` fixes (seconds since 1970).

    Raises:
        UsageError: the variable is set to something that is no such number.
    """
    seconds = fixed()
    return datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)


def fixed() -> int | None:
    """Return what ``SOURCE_DATE_EPOCH`` fixes the time to, in seconds since 1970; None where it is not set.

    Raises:
        UsageError: the variable is set to something that is no such number.
    """
    text = os.environ.get("SOURCE_DATE_EPOCH")
    if not text:
        return None
    try:
        datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}: it must be whole seconds since 1970") from None
    return int(text)


def timestamp(moment: datetime | None = None) -> str:
    """Return ISO 8601 UTC with milliseconds, as the files of the system in use have it."""
    moment = moment or now()
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def run_id(moment: datetime | None = None) -> str:
    """Return a run id: UTC ``YYYYMMDD-HHMMSS``."""
    return (moment or now()).strftime("%Y%m%d-%H%M%S")
