"""The published schemas are current, valid, and accept the real files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.contracts.schemas import FILES, schema, schema_text
from pipeline.support.documents import read_csv

FOLDER = Path(__file__).parents[2] / "docs" / "schemas"


def test_the_published_schemas_are_current() -> None:
    published = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
    assert published == {f"{kind}.schema.json": schema_text(kind) for kind in FILES}, "run `make schemas`"


@pytest.mark.parametrize("kind", FILES)
def test_a_schema_is_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("pack", "repath-core/fort-collins-co-us.pack.json"),
        ("benchmark-manifest", "repath-mobile/benchmark-manifest.seed.json"),
        ("benchmark-manifest", "repath-mobile/benchmark-manifest.supported-holdout.json"),
        ("benchmark-manifest", "repath-mobile/municipal-benchmark-manifest-v2.json"),
        ("active-model.release", "repath-mobile/active-model.release.json"),
        ("candidate-labels", "repath-mobile/yolo-repath.labels.json"),
        (
            "benchmark-supported-holdout-overrides",
            "repath-mobile/benchmark-supported-holdout-overrides.seed.json",
        ),
    ],
)
def test_a_real_file_fits_its_schema(kind: str, name: str, real: Path) -> None:
    jsonschema.validate(json.loads((real / name).read_bytes()), schema(kind))


def test_the_real_labeled_rows_fit_their_schema(real: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema("benchmark-labeled.row"))
    for row in read_csv(real / "repath-mobile" / "benchmark-labeled.csv", LabeledRow, LABELED_COLUMNS):
        assert not list(validator.iter_errors(row.to_data()))
