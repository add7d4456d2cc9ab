"""No command writes over a file that it reads, by whatever name it is called."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Repath = Callable[..., Any]

COMMANDS = [
    "data build-taxonomy --pack x --out {}",
    "evaluation build-benchmark-manifest --taxonomy x --seed other --out {}",
    "evaluation build-benchmark-manifest --taxonomy other --seed x --out {}",
    "evaluation check-benchmark-coverage --taxonomy x --manifest other --out {}",
    "evaluation check-benchmark-coverage --taxonomy other --manifest x --out {}",
    (
        "evaluation build-supported-holdout-manifest --labels x --input-csv other "
        "--retraining-manifest other --cache-dir c --out {}"
    ),
    "evaluation build-resolved-benchmark-manifest --manifest other --completed x --cache-dir c --out {}",
    "evaluation benchmark-candidate-model --model x --labels other --manifest other --out {}",
    "evaluation benchmark-candidate-model --model other --labels other --manifest x --out {}",
    "evaluation merge-benchmark-results other x --out {}",
    "evaluation compare-benchmark-results --baseline x --candidate other --out {}",
    "evaluation compare-benchmark-results --baseline other --candidate x --out {}",
    "evaluation compare-benchmark-results --baseline other --candidate x --out new --markdown {}",
    "evaluation report --comparison other --candidate x --out {}",
    "evaluation check-leakage --manifest x --bundle b --out {}",
    "evaluation analyze-benchmark-results --input x --out {}",
    "evaluation analyze-benchmark-results --input x --template-out {}",
    "evaluation audit-benchmark-dataset --manifest x --taxonomy other --out {}",
    "training build-retraining-manifest --input x --out {}",
]


@pytest.mark.parametrize("out", ["x", "./x", "b/../x", "link", "b/hard"])
@pytest.mark.parametrize("command", COMMANDS)
def test_an_output_that_is_an_input_is_wrong_usage(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    for name in ("x", "other"):
        (tmp_path / name).write_text(json.dumps([name]), "utf-8")
    (tmp_path / "link").symlink_to("x")
    (tmp_path / "b" / "hard").hardlink_to(tmp_path / "x")
    ran = repath(*command.format(out).split())
    assert ran.code == 2, ran.err
    assert "is read, and would be written over" in ran.err
    assert (tmp_path / "x").read_text("utf-8") == '["x"]'
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "setting", ['curated = "data/benchmark-labeled.csv"', 'taxonomy = "./data//pack.json"']
)
def test_two_paths_of_a_workspace_may_not_be_one(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    (tmp_path / "repath.toml").write_text(f"[paths]\n{setting}\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    ran = repath("run", "--until", "taxonomy")
    assert ran.code == 1
    assert "name one place" in ran.err
