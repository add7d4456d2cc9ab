"""What people's files hold and no command may stumble over: BOM, CRLF, newlines, columns, names twice."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input import (
    KAGGLE,
    LABELED,
    MANIFEST,
    MERGE_QUEUE,
    PACK,
    RESOLVE,
    RETRAINING,
    SEED,
    SYNC_LABELED,
    TAXONOMY,
    Repath,
)

TIME = "1767225600"


def _bom(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def _crlf(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def _rewritten(data: bytes, change: Callable[[list[str]], list[str]]) -> bytes:
    rows = list(csv.reader(io.StringIO(data.decode("utf-8"))))
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([change(row) for row in rows])
    return text.getvalue().encode("utf-8")


def _backwards(data: bytes) -> bytes:
    return _rewritten(data, lambda row: row[::-1])


def _quoted(data: bytes) -> bytes:
    return _rewritten(data, lambda row: row)


def _blank_lines(data: bytes) -> bytes:
    return data.replace(b"\n", b"\n\n")


CSV_COMMANDS = {
    f"data normalize-benchmark-labeled-urls --input {LABELED} --out out": "out",
    f"data dedupe-benchmark-labeled --input {LABELED} --out out": "out",
    "training build-retraining-manifest --out out": "out",
    f"{RESOLVE} --out out": "out",
    f"{KAGGLE} --merge-into {LABELED}": LABELED,
    f"{MERGE_QUEUE} --out out": "out",
    f"{SYNC_LABELED} --out out": "out",
    "data fill-retraining-negatives --out out": "out",
    "evaluation sync-benchmark-progress --out out": "out",
    "evaluation export-unresolved-benchmark-rows --out out": "out",
}


@pytest.mark.parametrize("form", [_bom, _crlf, _backwards, _quoted, _blank_lines])
@pytest.mark.parametrize("command", CSV_COMMANDS)
def test_a_csv_in_another_form_gives_the_same(
    repath: Repath, space: Path, monkeypatch: pytest.MonkeyPatch, command: str, form: Callable[[bytes], bytes]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", TIME)
    if command.startswith(KAGGLE):
        # Without a row that a label was mapped to, nothing is suggested, and the rows are written again.
        (space / "repath.toml").write_text('[kaggle.folders]\n"Light Bulb" = ["bulbs"]\n')
    labeled = space / LABELED
    original = labeled.read_bytes()
    plain = repath(*command.split())
    wanted = (space / CSV_COMMANDS[command]).read_bytes()
    assert plain.code == 0, plain.err
    labeled.write_bytes(form(original))
    other = repath(*command.split())
    assert other.code == 0, other.err
    assert (space / CSV_COMMANDS[command]).read_bytes() == wanted


def test_a_newline_inside_quotes_stays(repath: Repath, space: Path) -> None:
    labeled = space / LABELED
    rows = list(csv.reader(io.StringIO(labeled.read_text("utf-8"))))
    rows[1][-1] = 'first line; "quoted"\nsecond, line; ünïcode'
    with labeled.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\r\n").writerows(rows)
    assert repath("data", "dedupe-benchmark-labeled").code == 0
    with labeled.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == rows
    assert repath("training", "build-retraining-manifest").code == 0
    samples = json.loads((space / RETRAINING).read_text("utf-8"))["samples"]
    assert samples[0]["notes"] == rows[1][-1]


def test_a_column_that_is_not_known_is_kept(repath: Repath, space: Path) -> None:
    labeled = space / LABELED
    rows = list(csv.reader(io.StringIO(labeled.read_text("utf-8"))))
    rows = [[*row, "photographer" if index == 0 else f"p{index}"] for index, row in enumerate(rows)]
    with labeled.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(rows)
    for command in ("normalize-benchmark-labeled-urls", "dedupe-benchmark-labeled"):
        assert repath("data", command).code == 0
    with labeled.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == rows


@pytest.mark.parametrize("form", [_bom, _crlf, lambda data: json.dumps(json.loads(data)).encode()])
@pytest.mark.parametrize(
    ("name", "command", "out"),
    [
        (PACK, "data build-taxonomy", TAXONOMY),
        (SEED, "evaluation build-benchmark-manifest", MANIFEST),
        (TAXONOMY, "evaluation build-benchmark-manifest", MANIFEST),
        (MANIFEST, "evaluation check-benchmark-coverage --out out", "out"),
    ],
)
def test_json_in_another_form_gives_the_same(
    repath: Repath,
    space: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    command: str,
    out: str,
    form: Callable[[bytes], bytes],
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", TIME)
    assert repath(*command.split()).code == 0
    wanted = (space / out).read_bytes()
    (space / name).write_bytes(form((space / name).read_bytes()))
    assert repath(*command.split()).code == 0
    assert (space / out).read_bytes() == wanted


def test_the_names_that_stand_twice_in_the_real_manifest_are_reported(
    real: Path, repath: Repath, tmp_path: Path
) -> None:
    pack = real / "repath-core" / "fort-collins-co-us.pack.json"
    assert repath("data", "build-taxonomy", "--pack", pack, "--out", tmp_path / "t.json").code == 0
    manifest = real / "repath-mobile" / "municipal-benchmark-manifest-v2.json"
    names = [row["name"] for row in json.loads(manifest.read_text("utf-8"))["images"]]
    twice = sorted({name for name in names if names.count(name) > 1})
    assert len(twice) == 5
    files = ["--taxonomy", tmp_path / "t.json", "--manifest", manifest]
    ran = repath("evaluation", "check-benchmark-coverage", *files, "--out", tmp_path / "c.json")
    assert sorted(each["name"] for each in ran.json["duplicate_names"]) == twice
    assert all(name in ran.err.replace("\n", " ") for name in twice[:1])


def _rows_of_one_name(space: Path, **other: str) -> str:
    """Append a row that has the name of another; return the name."""
    with (space / LABELED).open(encoding="utf-8", newline="") as stream:
        rows: list[dict[str, Any]] = list(csv.DictReader(stream))
    manifest = json.loads((space / MANIFEST).read_text("utf-8"))
    name = manifest["images"][0]["name"]
    row = next(row for row in rows if row["name"] == name)
    with (space / LABELED).open("a", encoding="utf-8", newline="") as stream:
        csv.DictWriter(stream, list(row), lineterminator="\n").writerow({**row, **other})
    return str(name)


def test_where_one_of_two_rows_must_be_picked_the_error_names_both(repath: Repath, space: Path) -> None:
    name = _rows_of_one_name(space, url="data/images/benchmark/light-bulb_on_wood.jpg")
    before = (space / "benchmarks" / "benchmark-manifest.resolved.json").read_bytes()
    ran = repath(*RESOLVE.split())
    assert ran.code == 1
    assert ran.err.count(f"({name})") >= 2
    assert "give different pictures" in ran.err
    last = len((space / LABELED).read_text("utf-8").splitlines())
    assert f"line {last} ({name})" in ran.err
    assert (space / "benchmarks" / "benchmark-manifest.resolved.json").read_bytes() == before


def test_two_rows_of_one_name_and_picture_are_one(repath: Repath, space: Path) -> None:
    name = _rows_of_one_name(space)
    ran = repath(*RESOLVE.split())
    assert ran.code == 0
    assert [row for row in ran.json["not_used"] if name in row]


def test_a_sample_id_that_stands_twice_names_both(repath: Repath, space: Path) -> None:
    manifest = json.loads((space / RETRAINING).read_text("utf-8"))
    manifest["samples"][5]["id"] = name = manifest["samples"][2]["id"]
    (space / RETRAINING).write_text(json.dumps(manifest))
    ran = repath("training", "build-annotation-bundle", "--run-id", "n")
    assert ran.code == 1
    assert f"samples[5] ({name})" in ran.err
    assert f"samples[2] ({name})" in ran.err
