"""Files of a contract: what is read as it should be, and what is refused with file, row and field."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest
from pipeline.contracts.taxonomy import Taxonomy
from pipeline.support import documents
from pipeline.support.documents import load_json, read_csv, read_csv_lines, read_json, write_csv, write_json
from pipeline.support.errors import ContractError, InputError, OutputError, RepathError

HEADER = ",".join(LABELED_COLUMNS)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def read(path: Path, data: bytes | str) -> list[LabeledRow]:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_csv(path, LabeledRow, LABELED_COLUMNS)


def test_a_bom_and_crlf_are_no_part_of_the_data(rows: Path) -> None:
    [row] = read(rows, b"\xef\xbb\xbf" + f"{HEADER}\r\nn,u,i,L,s,x=1\r\n".encode())
    assert (row.name, row.notes) == ("n", "x=1")


def test_a_newline_and_quotes_inside_quotes_are_data(rows: Path) -> None:
    data = f'{HEADER}\nn,u,i,"Bag, Paper",s,"one\ntwo, ""three"""\nm,u,i,L,s,\n'
    first, second = read(rows, data)
    assert first.notes == 'one\ntwo, "three"'
    assert first.canonical_label == "Bag, Paper"
    assert second.name == "m"
    assert read_csv_lines(rows, LabeledRow, LABELED_COLUMNS)[1] == [2, 4]


def test_columns_may_stand_in_another_order(rows: Path) -> None:
    [row] = read(rows, "notes,source,canonical_label,item_id,url,name\n1,2,3,4,5,6\n")
    assert (row.notes, row.name, row.canonical_label) == ("1", "6", "3")


def test_a_column_of_ones_own_is_kept(rows: Path) -> None:
    read_rows = read(rows, f"{HEADER},licence\nn,u,i,L,s,x,CC0\n")
    write_csv(rows, read_rows, LABELED_COLUMNS)
    assert rows.read_text() == f"{HEADER},licence\nn,u,i,L,s,x,CC0\n"


def test_blank_lines_and_a_missing_last_newline_are_passed_over(rows: Path) -> None:
    assert len(read(rows, f"{HEADER}\n\nn,u,i,L,s,x\n\n\nm,u,i,L,s,x")) == 2


def test_a_header_alone_is_no_rows(rows: Path) -> None:
    assert read(rows, f"{HEADER}\n") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "header name,url"),
        ("name,url\na,b\n", "the column 'item_id' is missing"),
        (f"{HEADER},url\n", "the column 'url' stands 2 times"),
        (f"{HEADER},\n", "column 7 has no name"),
        (f"{HEADER}\nn,u,i,L,s,x,more\n", "line 2: has 7 fields where the header has 6"),
        (f"{HEADER}\nn,u,i,L,s,x\nn,u\n", "line 3: has 2 fields"),
        (f'{HEADER}\n"a\nb",u,i,L,s,x\nn,u\n', "line 4: has 2 fields"),
        (f'{HEADER}\nn,"u,i,L,s,x\nm,u,i,L,s,x\n', "line 2: a quote is opened and never closed"),
        (f'{HEADER}\nn,"u"v,i,L,s,x\n', "line 2"),
        (f"{HEADER}\nn,u\0,i,L,s,x\n", "line 2"),
        (f"{HEADER}\nn,u\x1b[31m,i,L,s,x\n", "line 2 ('n'), column url"),
        pytest.param(f"{HEADER}\nn,u,i,L,s,{'x' * 1_100_000}\n", "longer than", id="long field"),
    ],
)
def test_a_broken_csv_is_told_with_line_and_column(data: str, said: str, rows: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(rows, data)
    assert said in str(caught.value)
    assert str(rows) in str(caught.value)


def test_text_that_is_not_utf8_is_told_with_its_line(rows: Path) -> None:
    with pytest.raises(InputError, match="not UTF-8 at line 2"):
        read(rows, f"{HEADER}\nn,u,i,Caf".encode() + b"\xe9,s,x\n")
    with pytest.raises(InputError, match="not UTF-8"):
        read(rows, f"{HEADER}\n".encode("utf-16"))


def test_a_file_that_is_not_there_or_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_csv(tmp_path / "none.csv", LabeledRow, LABELED_COLUMNS)
    with pytest.raises(InputError, match="is a folder"):
        read_json(tmp_path, Taxonomy)


def test_a_file_that_is_far_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "MAX_BYTES", 1 << 20)
    path = tmp_path / "big.json"
    path.write_bytes(b" " * ((1 << 20) + 1))
    with pytest.raises(InputError, match="larger than 1 MB"):
        load_json(path)


def test_what_cannot_be_written_leaves_what_was_there(rows: Path) -> None:
    read_rows = read(rows, f"{HEADER}\nn,u,i,L,s,x\n")
    rows.with_name("file").touch()
    with pytest.raises(OutputError):
        write_csv(rows.with_name("file") / "x.csv", read_rows, LABELED_COLUMNS)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(
        st.tuples(
            *[st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)] * 5,
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
        ),
        max_size=6,
    )
)
def test_any_row_written_is_read_again(made: list[tuple[str, ...]], rows: Path) -> None:
    rows_made = [LabeledRow(**dict(zip(LABELED_COLUMNS, values, strict=True))) for values in made]
    write_csv(rows, rows_made, LABELED_COLUMNS)
    assert read_csv(rows, LabeledRow, LABELED_COLUMNS) == rows_made


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=300), st.text('",\n\r name;', max_size=80).map(lambda t: f"{HEADER}\n{t}".encode())
    )
)
def test_any_csv_is_read_or_refused_in_words(data: bytes, rows: Path) -> None:
    with contextlib.suppress(RepathError):
        read(rows, data)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file ends too early"),
        ('{"name": "x", "images": [', "the file ends too early"),
        ('{"name": "x"} {}', "line 1, column 15"),
        ("{'name': 1}", "line 1, column 2"),
        ('{"name": NaN}', "NaN is not a JSON number"),
        ('{"name": Infinity}', "Infinity is not a JSON number"),
        ('{"name": "\\ud800"}', "half a character"),
        pytest.param("[" * 200_000, "nested too deeply", id="deep"),
        pytest.param('{"name": ' + "9" * 5000 + "}", "not usable JSON", id="huge number"),
    ],
)
def test_broken_json_is_told_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_json(path, BenchmarkManifest)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "not []"),
        ({}, "name: this field is missing"),
        ({"name": "x", "images": {}}, "images"),
        (
            {"name": "x", "images": [{"name": "n", "url": "u", "expected_any": "L"}]},
            "images[0] (n).expected_any",
        ),
        (
            {"name": "x", "images": [{"name": "n", "url": "u", "expected_any": [], "status": "done"}]},
            "images[0] (n).status",
        ),
        ({"name": "x", "images": [{"name": "n", "url": "a\nb", "expected_any": []}]}, "images[0] (n).url"),
        ({"name": "x", "images": [{"name": " ", "url": "", "expected_any": []}]}, "images[0]"),
    ],
)
def test_json_of_another_shape_is_told_with_row_and_field(data: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(data))
    with pytest.raises(ContractError) as caught:
        read_json(path, BenchmarkManifest)
    assert said in str(caught.value)


def test_json_with_a_bom_is_read_and_written_as_formats_says(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(b'\xef\xbb\xbf{"name":"x","images":[],"mine":"\xc3\xa9"}')
    write_json(path, read_json(path, BenchmarkManifest))
    assert path.read_text(encoding="utf-8") == '{\n  "name": "x",\n  "images": [],\n  "mine": "é"\n}\n'


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.one_of(
        st.binary(max_size=200), st.text('{}[]",:0.eE-+null\\u truefals', max_size=60).map(str.encode)
    )
)
def test_any_json_is_read_or_refused_in_words(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_bytes(data)
    with contextlib.suppress(RepathError):
        read_json(path, BenchmarkManifest)
