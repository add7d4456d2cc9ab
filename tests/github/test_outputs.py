from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.github.outputs import append_outputs, output_lines
from pipeline.support.errors import OutputError, UsageError


def test_nested_values_are_joined_and_lists_left_out() -> None:
    summary = {"pull_request": 7, "fork": False, "head": {"sha": "a", "ref": None}, "files": [1, 2]}
    assert output_lines(summary) == ["pull-request=7", "fork=false", "head-sha=a", "head-ref="]


@given(st.text(), st.text())
def test_no_value_starts_a_line_of_its_own(first: str, second: str) -> None:
    lines = output_lines({"ref": first, "reason": second})
    assert [line.partition("=")[0] for line in lines] == ["ref", "reason"]
    assert len("\n".join(lines).splitlines()) == 2


def test_they_are_added_to_those_of_earlier_steps(tmp_path: Path) -> None:
    path = tmp_path / "outputs"
    path.write_text("before=1\n")
    append_outputs({"found": True}, {"GITHUB_OUTPUT": str(path)})
    assert path.read_text() == "before=1\nfound=true\n"


def test_outside_a_workflow_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="GITHUB_OUTPUT"):
        append_outputs({}, {})
    with pytest.raises(OutputError):
        append_outputs({}, {"GITHUB_OUTPUT": str(tmp_path)})
