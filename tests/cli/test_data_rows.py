from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.contracts.labeled import LABELED_COLUMNS, LabeledRow
from pipeline.support.documents import read_csv, write_csv

HEAVY = {"torch", "ultralytics", "tensorflow", "ai_edge_litert", "litert_torch", "cv2"}
HEADER = ",".join(LABELED_COLUMNS)
PACK = {
    "pack_id": "p",
    "pack_version": "1",
    "retrieved_at": "x",
    "municipality": {"name": "Town"},
    "items": [{"id": "can", "name": "Tin Can", "keywords": [], "option_cards": []}],
}


@pytest.fixture
def labeled(real: Path) -> Path:
    return real / "repath-mobile/benchmark-labeled.csv"


def test_the_taxonomy_of_the_real_pack_is_told_and_written(real: Path, tmp_path: Path, repath) -> None:
    out = tmp_path / "new/taxonomy.json"
    ran = repath(
        "data", "build-taxonomy", "--pack", real / "repath-core/fort-collins-co-us.pack.json", "--out", out
    )
    assert ran.code == 0
    counts = [ran.json[key] for key in ("item_count", "alias_count", "normalized_alias_count")]
    assert counts == [246, 1254, 1246]
    assert json.loads(out.read_text())["summary"]["item_count"] == 246


def test_the_same_pack_gives_the_same_bytes_when_the_time_is_fixed(
    tmp_path: Path, repath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    (tmp_path / "p.json").write_text(json.dumps(PACK))
    for name in ("a", "b"):
        repath("data", "build-taxonomy", "--pack", tmp_path / "p.json", "--out", tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_real_rows_are_kept_in_order_and_nearly_all_byte_for_byte(
    labeled: Path, tmp_path: Path, repath
) -> None:
    out = tmp_path / "out.csv"
    ran = repath(
        "data", "normalize-benchmark-labeled-urls", "--input", labeled, "--cache-dir", tmp_path, "--out", out
    )
    assert (ran.json["rows"], ran.json["normalized"]) == (488, 1)
    before, after = labeled.read_bytes().splitlines(), out.read_bytes().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0][0].replace(b"%28", b"(").replace(b"%29", b")") == changed[0][1]


def test_the_real_rows_hold_no_duplicates(labeled: Path, tmp_path: Path, repath) -> None:
    out = tmp_path / "out.csv"
    ran = repath("data", "dedupe-benchmark-labeled", "--input", labeled, "--out", out)
    assert (ran.json["rows"], ran.json["rows_cleared"]) == (488, 0)
    assert out.read_bytes() == labeled.read_bytes()


def test_real_negatives_stay_negative_through_both_commands(labeled: Path, tmp_path: Path, repath) -> None:
    rows = read_csv(labeled, LabeledRow, LABELED_COLUMNS)
    doubled = tmp_path / "doubled.csv"
    write_csv(doubled, [*rows, *rows], LABELED_COLUMNS)
    repath("data", "normalize-benchmark-labeled-urls", "--input", doubled)
    ran = repath("data", "dedupe-benchmark-labeled", "--input", doubled, "--keep-last")
    assert ran.json["rows_cleared"] == 488
    after = read_csv(doubled, LabeledRow, LABELED_COLUMNS)
    assert [row.canonical_label for row in after] == [row.canonical_label for row in [*rows, *rows]]


def test_without_out_the_input_is_replaced_and_never_the_workspace_s_own_file(
    tmp_path: Path, repath, monkeypatch
) -> None:
    (tmp_path / "repath.toml").touch()
    (tmp_path / "data").mkdir()
    own = tmp_path / "data/benchmark-labeled.csv"
    own.write_text(f"{HEADER}\n")
    other = tmp_path / "other.csv"
    other.write_text(f"{HEADER}\na,x.png,,,,\nb,x.png,,,,\n")
    monkeypatch.chdir(tmp_path)
    assert repath("data", "dedupe-benchmark-labeled", "--input", other).code == 0
    assert own.read_text() == f"{HEADER}\n"
    assert "csv dedupe" in other.read_text()


def test_a_dry_run_writes_nothing(tmp_path: Path, repath) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"{HEADER}\na,x.png,,,,\nb,x.png,,,,\n")
    before = path.read_bytes()
    ran = repath("data", "dedupe-benchmark-labeled", "--input", path, "--dry-run")
    assert (ran.json["rows_cleared"], ran.json["output"]) == (1, None)
    assert ran.json["groups"] == [{"url": "x.png", "kept": "a", "cleared": ["b"]}]
    assert path.read_bytes() == before


def test_keep_first_and_keep_last_contradict_each_other(tmp_path: Path, repath) -> None:
    assert repath("data", "dedupe-benchmark-labeled", "--input", "x", "--keep-first", "--keep-last").code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"", "header"),
        (b"name,url\na,b\n", "'item_id' is missing"),
        (HEADER.encode() + b"\na,b\n", "line 2"),
        (HEADER.encode() + b'\na,"b,c,d,e,f\n', "never closed"),
        (HEADER.encode() + b"\n\xff,b,c,d,e,f\n", "not UTF-8 at line 2"),
    ],
)
@pytest.mark.parametrize("command", ["dedupe-benchmark-labeled", "normalize-benchmark-labeled-urls"])
def test_a_broken_csv_is_one_error_and_leaves_the_output(
    tmp_path: Path, repath, command: str, content: bytes | None, said: str
) -> None:
    path, out = tmp_path / "rows.csv", tmp_path / "out.csv"
    if content is not None:
        path.write_bytes(content)
    out.write_text("as it was")
    ran = repath("data", command, "--input", path, "--out", out)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.count("error:") == 1
    assert ran.out == ""
    assert out.read_text() == "as it was"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[]", "pack.json"),
        ('{"pack_id": "p"}', "pack_version: this field is missing"),
        (json.dumps({**PACK, "items": [], "extends": ["base"]}), "only extends base"),
        (json.dumps({**PACK, "items": [*PACK["items"], *PACK["items"]]}), "items[1] (can).id"),
    ],
)
def test_a_broken_pack_is_one_error_and_leaves_the_output(
    tmp_path: Path, repath, content: str, said: str
) -> None:
    path, out = tmp_path / "pack.json", tmp_path / "taxonomy.json"
    path.write_text(content)
    out.write_text("as it was")
    ran = repath("data", "build-taxonomy", "--pack", path, "--out", out)
    assert ran.code == 1
    assert said in ran.err
    assert out.read_text() == "as it was"


def test_no_data_command_imports_a_heavy_library(tmp_path: Path) -> None:
    """In one process of its own: each command does real work, then the modules are looked over."""
    from PIL import Image

    (tmp_path / "repath.toml").write_text('[kaggle.folders]\n"Tin Can" = ["cans"]\n')
    (tmp_path / "pack.json").write_text(json.dumps(PACK))
    (tmp_path / "rows.csv").write_text(f"{HEADER}\na,file://{tmp_path}/set/cans/1.jpg,,,,\n")
    (tmp_path / "m.json").write_text(
        json.dumps(
            {"name": "m", "images": [{"name": "t", "url": "", "expected_any": ["Tin Can"], "status": "todo"}]}
        )
    )
    (tmp_path / "set/cans").mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(tmp_path / "set/cans/1.jpg")
    Image.new("RGB", (16, 16), "red").save(tmp_path / "set/cans/2.jpg")
    commands = [
        "data build-taxonomy --pack pack.json --out t.json",
        "data normalize-benchmark-labeled-urls --input rows.csv --cache-dir cache",
        "data dedupe-benchmark-labeled --input rows.csv",
        "data suggest-benchmark-from-kaggle --manifest m.json --kaggle-dir set --cache-dir c --merge-into l",
        "data suggest-benchmark-online --input m.json --merge-into rows.csv --api-url http://127.0.0.1:9/",
    ]
    script = (
        "import sys; from pipeline.cli.main import run\n"
        f"codes = [run(command.split()) for command in {commands!r}]\n"
        f"print('DONE', codes, sorted({HEAVY!r} & set(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.endswith("DONE [0, 0, 0, 0, 0] []\n"), ran.stdout + ran.stderr
