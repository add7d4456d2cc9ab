from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.errors import ContractError
from pipeline.training.retraining import build_retraining_manifest, retraining_rows

HEADER = ",".join(LABELED_COLUMNS)


def build(repath: Callable[..., Any], text: str | bytes, *flags: object) -> tuple[Any, Path]:
    Path("in.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    out = Path("out.json")
    return repath("training", "build-retraining-manifest", "--input", "in.csv", "--out", out, *flags), out


def test_the_real_csv_has_76_samples_of_8_labels_and_12_negatives(
    real: Path, repath: Callable[..., Any], tmp_path: Path
) -> None:
    source, out = real / "repath-mobile/benchmark-labeled.csv", tmp_path / "m.json"
    ran = repath("training", "build-retraining-manifest", "--input", source, "--out", out)
    assert ran.code == 0, ran.err
    manifest = json.loads(out.read_text())
    assert (manifest["sample_count"], manifest["positive_count"], manifest["negative_count"]) == (76, 64, 12)
    assert ran.json["label_count"] == 8
    assert len(manifest["samples"]) == 76
    assert {sample["label"] is None for sample in manifest["samples"]} == {True, False}


def test_the_order_of_the_csv_is_kept_and_other_rows_are_left_out(repath: Callable[..., Any]) -> None:
    text = f"{HEADER}\nretrain_b,b.jpg,,Foil,s,n=1\nfoil,c.jpg,,Foil,s,\nretrain_negative_a,a.jpg,,,s,\n"
    ran, out = build(repath, text)
    assert ran.code == 0
    samples = json.loads(out.read_text())["samples"]
    assert samples == [
        {
            "id": "retrain_b", "image": "b.jpg", "label": "Foil", "is_negative": False, "source": "s",
            "notes": "n=1",
        },
        {
            "id": "retrain_negative_a", "image": "a.jpg", "label": None, "is_negative": True, "source": "s",
            "notes": "",
        },
    ]  # fmt: skip


def test_a_bom_crlf_newlines_in_quotes_and_columns_in_another_order_are_read(
    repath: Callable[..., Any],
) -> None:
    text = (
        "\ufeffnotes,source,canonical_label,item_id,url,name\r\n"
        '"two\r\nlines",s,Foil,,a.jpg,retrain_a\r\n,s,,,b.jpg,retrain_negative_b\r\n'
    )
    ran, out = build(repath, text)
    assert ran.code == 0, ran.err
    assert [s["id"] for s in json.loads(out.read_text())["samples"]] == ["retrain_a", "retrain_negative_b"]


def test_a_row_without_url_is_no_sample_and_is_named(repath: Callable[..., Any]) -> None:
    ran, out = build(repath, f"{HEADER}\nretrain_a,,,Foil,s,\nretrain_b,b.jpg,,Foil,s,\n")
    assert ran.code == 0
    assert ran.json["without_url"] == 1
    assert "retrain_a: has no url" in ran.err
    manifest = json.loads(out.read_text())
    assert manifest["sample_count"] == 1
    assert manifest["without_url"] == ["retrain_a"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "retrain_negative_a,a.jpg,,Foil,s,\n",
            r"line 2 \(retrain_negative_a\), column canonical_label: a neg",
        ),
        (
            "retrain_a,a.jpg,,,s,\n",
            r"line 2 \(retrain_a\), column canonical_label: this positive has no label",
        ),
        ('x,y,,,s,"a\nb"\nretrain_a,a,,F,s,\nretrain_a,b,,F,s,\n', r"line 5 .*stands on line 4 already"),
        ("retrain_a,a.jpg,,Foil,s\n", r"line 2: has 5 fields where the header has 6"),
        ('retrain_a,a.jpg,,Foil,s,"open\n', r"a quote is opened and never closed"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_written(
    repath: Callable[..., Any], rows: str, message: str
) -> None:
    import re

    Path("out.json").write_text("before")
    ran, out = build(repath, f"{HEADER}\n{rows}")
    assert ran.code == 1
    assert re.search(message, ran.err), ran.err
    assert out.read_text() == "before"


def test_a_file_that_is_missing_not_utf8_or_lacks_a_column_is_explained(repath: Callable[..., Any]) -> None:
    missing = repath("training", "build-retraining-manifest", "--input", "no.csv", "--out", "out.json")
    assert missing.code == 1
    assert "no.csv does not exist" in missing.err
    assert "not UTF-8 at line 2" in build(repath, HEADER.encode() + b"\nretrain_\xff,,,,,\n")[0].err
    assert (
        "the column 'notes' is missing" in build(repath, "name,url,item_id,canonical_label,source\n")[0].err
    )
    assert not Path("out.json").exists()


def test_a_folder_that_cannot_be_written_is_explained(repath: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    Path("in.csv").write_text(f"{HEADER}\nretrain_a,a.jpg,,Foil,s,\n")
    out = tmp_path / "file" / "out.json"
    ran = repath("training", "build-retraining-manifest", "--input", "in.csv", "--out", out)
    assert ran.code == 1
    assert "cannot be written" in ran.err


def taxonomy(labels: list[str]) -> dict[str, Any]:
    return {
        "taxonomy_id": "municipal-taxonomy-v1",
        "generated_at": "2026-01-01T00:00:00.000Z",
        "source": {
            "pack_id": "p", "pack_version": "1", "retrieved_at": "", "municipality": None, "pack_path": "p",
        },
        "summary": {
            "item_count": len(labels), "alias_count": 0, "normalized_alias_count": 0, "outcome_counts": {},
        },
        "vision_classes": [
            {
                "item_id": label, "canonical_label": label, "class_id": label, "aliases": [label],
                "normalized_aliases": [label.lower()], "outcomes": [], "primary_outcome": None,
                "option_card_ids": [],
            }
            for label in labels
        ],
        "alias_index": {},
    }  # fmt: skip


def test_a_label_the_taxonomy_lacks_stops_the_build_unless_it_is_allowed(
    repath: Callable[..., Any],
) -> None:
    Path("tax.json").write_text(json.dumps(taxonomy(["Plastic Bottles", "Foil"])))
    text = f"{HEADER}\nretrain_a,a.jpg,,Plastic Bottle,s,\n"
    ran, out = build(repath, text, "--taxonomy", "tax.json")
    assert ran.code == 1
    assert "line 2 (retrain_a)" in ran.err
    assert "'Plastic Bottles'" in ran.err
    assert "--allow-unknown-labels" in ran.err
    assert not out.exists()
    allowed, out = build(repath, text, "--taxonomy", "tax.json", "--allow-unknown-labels")
    assert allowed.code == 0
    assert "'Plastic Bottles'" in allowed.err
    assert out.exists()


TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
NAMES = st.sampled_from(["retrain_", "retrain_negative_", "retrain_positive_", ""]).flatmap(
    lambda prefix: TEXT.map(lambda rest: prefix + rest)
)


@given(
    st.lists(
        st.builds(
            LabeledRow, name=NAMES, url=TEXT, item_id=TEXT, canonical_label=TEXT, source=TEXT, notes=TEXT
        )
    )
)
def test_any_rows_give_samples_that_add_up_or_an_error_that_names_a_line(rows: list[LabeledRow]) -> None:
    numbered = retraining_rows(rows, range(2, len(rows) + 2))
    try:
        manifest = build_retraining_manifest(numbered, source_csv="x.csv", generated_at="t")
    except ContractError as error:
        wheres = [fault.where for fault in error.faults]
    else:
        wheres = []
    if wheres:
        assert all(where.startswith("line ") for where in wheres)
        return
    assert manifest.sample_count == len(manifest.samples) == manifest.positive_count + manifest.negative_count
    assert len({sample.id for sample in manifest.samples}) == manifest.sample_count
    assert manifest.sample_count + len(manifest.without_url or []) == len(numbered)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_200_000_rows_take_less_than_600_mb(tmp_path: Path) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(LABELED_COLUMNS)
    for n in range(200_000):
        negative = n % 5 == 0
        name = f"retrain_{'negative' if negative else 'positive'}_{n}"
        label = "" if negative else f"Label {n % 246}"
        writer.writerow(
            [name, f"images/{name}.jpg", f"item-{n}", label, "kaggle", f"folder=f; source_image={n}"]
        )
    (tmp_path / "in.csv").write_text(text.getvalue())
    # VmHWM, not ru_maxrss: that one begins with what the process that forks holds.
    code = (
        "import re, sys; from pathlib import Path; from pipeline.cli.main import run; "
        "code = run(sys.argv[1:]); "
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()); "
        "print(peak[1], file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, "training", "build-retraining-manifest", "--input", "in.csv"]
    ran = subprocess.run(
        [*command, "--out", "out.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert int(ran.stderr.split()[-1]) < 600 * 1024
    assert json.loads(ran.stdout)["sample_count"] == 200_000
