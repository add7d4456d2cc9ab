"""Reports stay as they are where they would say the same at another time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contracts.base import Contract
from pipeline.support.errors import OutputError
from pipeline.support.reports import write_report
from pipeline.support.together import Placement


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


def test_a_report_that_cannot_be_written_leaves_the_files_it_tells_of(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("as it was")
    (tmp_path / "r.json").mkdir()
    with pytest.raises(OutputError, match=r"r\.json"):
        write_report(
            tmp_path / "r.json",
            Report(generated_at="1", found=1, done=[]),
            beside=[Placement(tmp_path / "m.json", b"new")],
        )
    assert (tmp_path / "m.json").read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "r.json"]


def test_files_that_are_there_keep_their_mode(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text("as it was")
    (tmp_path / "m.json").chmod(0o640)
    write_report(
        None, Report(generated_at="1", found=1, done=[]), beside=[Placement(tmp_path / "m.json", b"new")]
    )
    assert (tmp_path / "m.json").read_text() == "new"
    assert (tmp_path / "m.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"'])
def test_what_is_no_report_is_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.json"
    path.write_text(text)
    assert write_report(path, Report(generated_at="1", found=1, done=[]))
    assert b'"found": 1' in path.read_bytes()
