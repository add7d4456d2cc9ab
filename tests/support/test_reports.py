"""Reports stay as they are where they would say the same at another time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contracts.base import Contract
from pipeline.support.reports import write_report


class Report(Contract):
    generated_at: str
    found: int
    done: list[str]


def test_the_same_at_another_time_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    assert write_report(path, Report(generated_at="1", found=1, done=[]))
    before = path.read_bytes()
    assert not write_report(path, Report(generated_at="2", found=1, done=[]))
    assert path.read_bytes() == before
    assert write_report(path, Report(generated_at="2", found=2, done=[]))
    assert b'"generated_at": "2"' in path.read_bytes()


def test_fields_that_may_differ_keep_what_was_said_last(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    write_report(path, Report(generated_at="1", found=1, done=["a"]))
    assert not write_report(path, Report(generated_at="2", found=1, done=[]), ignoring=["done"])
    assert write_report(path, Report(generated_at="2", found=3, done=[]), ignoring=["done"])


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"'])
def test_what_is_no_report_is_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    assert write_report(path, Report(generated_at="1", found=1, done=[]))
    assert b'"found": 1' in path.read_bytes()
