"""Numbers that no flag and no setting may have: NaN is in no range, and a seed is what numpy takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Repath = Callable[..., Any]

SHARES = {
    "evaluation check-benchmark-coverage": ["--min-coverage"],
    "evaluation benchmark-candidate-model": ["--threshold", "--max-unreadable", "--min-negative-clean"],
    "evaluation merge-benchmark-results s.json": ["--max-unreadable"],
    "training build-annotation-bundle": ["--val-fraction", "--test-fraction"],
    "training train-detector-from-annotation": ["--fraction"],
    "training export-candidate": ["--fraction"],
}
SEEDED = [
    "evaluation compare-benchmark-results",
    "training build-annotation-bundle",
    "training train-detector-from-annotation",
]


@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-0.1", "1.1"])
@pytest.mark.parametrize(
    ("command", "flag"), [(name, flag) for name, flags in SHARES.items() for flag in flags]
)
def test_a_share_is_a_number_from_0_to_1(repath: Repath, command: str, flag: str, value: str) -> None:
    ran = repath(*command.split(), f"{flag}={value}")
    assert ran.code == 2
    assert f"Invalid value for '{flag}'" in ran.err


@pytest.mark.parametrize("value", ["-1", "4294967296", "1.5"])
@pytest.mark.parametrize("command", SEEDED)
def test_a_seed_is_one_that_numpy_takes(repath: Repath, command: str, value: str) -> None:
    ran = repath(*command.split(), f"--seed={value}")
    assert ran.code == 2
    assert "Invalid value for '--seed'" in ran.err


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("gate.min", "any_hit_rate = nan"),
        ("gate.min", "any_hit_rate = 60"),
        ("gate.margin", "any_hit_rate = -0.1"),
        ("gate", "max_latency_ms = nan"),
        ("benchmark", "threshold = nan"),
        ("download", "timeout_s = inf"),
        ("training", "seed = -1"),
        ("training", "imgsz = 100000"),
        ("export", "conf = nan"),
    ],
)
def test_a_setting_that_no_number_meets_is_named(
    repath: Repath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str, line: str
) -> None:
    (tmp_path / "repath.toml").write_text(f"[{table}]\n{line}\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    ran = repath("evaluation", "check-benchmark-coverage")
    assert ran.code == 1
    assert f"{table}.{line.partition(' ')[0]}" in ran.err
    assert "Traceback" not in ran.err
