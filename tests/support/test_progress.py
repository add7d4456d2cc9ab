"""How far a download is, told in a log and on a terminal, and the bytes themselves untouched."""

from __future__ import annotations

import sys

import pytest

from pipeline.support import progress
from pipeline.support.progress import track_bytes

CHUNKS = [b"a" * 1000, b"b" * 500, b""]


def test_a_log_says_every_few_seconds_how_much_has_come(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_EVERY_S", 0.0)
    assert list(track_bytes(iter(CHUNKS), what="Reading it")) == CHUNKS
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(CHUNKS)
    assert all(line.startswith("Reading it: 0 MB, ") for line in lines)


def test_a_short_download_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track_bytes(iter(CHUNKS), what="Reading it")) == CHUNKS
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_a_bar_in_which_a_name_is_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track_bytes(iter(CHUNKS), what="Reading [bold]x[/nothing]")) == CHUNKS
