"""The files of the system in use are read without loss and written back byte-stable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import BaseModel

from pipeline.contracts.candidate import ActiveModelRelease, LabelsFile
from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.manifest import BenchmarkManifest, HoldoutOverrides
from pipeline.contracts.pack import Pack
from pipeline.support.documents import json_bytes, read_csv, read_json, write_csv, write_json

JSON_FILES: list[tuple[str, type[BaseModel]]] = [
    ("repath-core/fort-collins-co-us.pack.json", Pack),
    ("repath-mobile/active-model.release.json", ActiveModelRelease),
    ("repath-mobile/benchmark-manifest.seed.json", BenchmarkManifest),
    ("repath-mobile/benchmark-manifest.supported-holdout.json", BenchmarkManifest),
    ("repath-mobile/benchmark-supported-holdout-overrides.seed.json", HoldoutOverrides),
    ("repath-mobile/municipal-benchmark-manifest-v2.json", BenchmarkManifest),
    ("repath-mobile/yolo-repath.labels.json", LabelsFile),
]


@pytest.mark.parametrize(("name", "model"), JSON_FILES)
def test_a_real_json_file_survives_a_read_and_a_write(
    name: str, model: type[BaseModel], real: Path, tmp_path: Path
) -> None:
    original = real / name
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    write_json(first, read_json(original, model))
    write_json(second, read_json(first, model))

    # Fields, values and their order: json.dumps of both keeps the order of keys.
    assert json.dumps(json.loads(first.read_bytes())) == json.dumps(json.loads(original.read_bytes()))
    assert second.read_bytes() == first.read_bytes()


def test_a_file_in_the_written_form_comes_back_byte_for_byte(real: Path) -> None:
    # The seed manifest alone is laid out by hand (lists on one line), so it is not among these.
    for name, model in JSON_FILES:
        if "seed" not in name or "overrides" in name:
            assert json_bytes(read_json(real / name, model)) == (real / name).read_bytes(), name


@pytest.mark.parametrize(
    ("name", "rows"), [("benchmark-labeled.csv", 488), ("benchmark-retraining-queue.csv", None)]
)
def test_a_real_csv_comes_back_byte_for_byte(name: str, rows: int | None, real: Path, tmp_path: Path) -> None:
    original = real / "repath-mobile" / name
    read = read_csv(original, LabeledRow, LABELED_COLUMNS)
    write_csv(tmp_path / name, read, LABELED_COLUMNS)
    assert (tmp_path / name).read_bytes() == original.read_bytes()
    assert rows is None or len(read) == rows


def test_the_real_labeled_rows_are_counted_as_formats_says(real: Path) -> None:
    rows = read_csv(real / "repath-mobile" / "benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS)
    retraining = [row for row in rows if row.feeds_retraining]
    assert sum(row.url.startswith("http") for row in rows) == 392
    assert len(retraining) == 76
    assert sum(row.is_negative for row in retraining) == 12
    assert len({row.canonical_label for row in retraining if not row.is_negative}) == 8


def test_a_note_may_hold_commas_and_semicolons(real: Path) -> None:
    rows = read_csv(real / "repath-mobile" / "benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS)
    with_semicolon = [row for row in rows if "Zircon) (1936-1939).jpg" in row.notes]
    assert len(with_semicolon) == 1
    title = with_semicolon[0].note("title")
    assert title is not None
    assert title.endswith("Zircon) (1936-1939).jpg")
    assert ";" in title
