"""The self-test: what is here works, what is missing is told, and what breaks does not break the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_models import tiny_model

from pipeline.image import selftest
from pipeline.image.gpus import Gpus
from pipeline.image.selftest import require, self_test
from pipeline.image.selftest_model import FOUND, SIDE, model_bytes
from pipeline.support.errors import SelfTestError

NO_GPU = Gpus(why_not="no NVIDIA driver")


def test_the_model_is_the_one_that_the_tests_make(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    rows = np.zeros((1, 2, 6), np.float32)
    rows[0, 0] = FOUND
    assert (
        tiny_model(tmp_path / "m.tflite", rows, input_shape=(1, SIDE, SIDE, 3)).read_bytes() == model_bytes()
    )


@pytest.mark.slow
def test_what_is_installed_works(repath: Callable[..., Any]) -> None:
    pytest.importorskip("ultralytics")
    ran = repath("image", "selftest", "--require", "litert", "--require", "train")
    assert ran.code == 0, ran.err
    told = ran.json
    assert told["ok"]
    assert told["checks"]["litert"]["ok"]
    assert told["checks"]["train"]["ok"]
    assert "weights moved" in told["checks"]["train"]["detail"]
    assert told["libraries"]["torch"]
    assert told["cuda"]["seen"] or told["cuda"]["why_not"]
    assert "Self-test" in ran.err


def test_quick_runs_nothing(repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_START", "raise SystemExit('something was run')")
    ran = repath("image", "selftest", "--quick")
    assert ran.code == 0
    assert {check["ok"] for check in ran.json["checks"].values()} == {None}


def test_a_gpu_that_was_asked_for_and_is_not_there_ends_with_1(
    repath: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "find_gpus", lambda: NO_GPU)
    ran = repath("image", "selftest", "--quick", "--require", "gpu")
    assert ran.code == 1
    assert ran.json["missing"] == ["gpu"]
    assert not ran.json["ok"]
    assert "gpu: no NVIDIA driver" in ran.err


def test_a_library_that_was_asked_for_and_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "find_spec", lambda name: None)
    report = self_test(["train", "tensorflow"], quick=True, gpus=NO_GPU)
    assert report.missing == ("tensorflow", "train")
    with pytest.raises(SelfTestError, match="train: not installed: torch, torchvision, ultralytics"):
        require(report)
    assert self_test([], quick=True, gpus=NO_GPU).ok


@pytest.mark.parametrize(
    ("program", "told"),
    [
        ("import os; os.abort()", "ended by signal 6"),
        ("raise SystemExit('it does not fit')", "it does not fit"),
        ("print('too many weights'); raise SystemExit(1)", "too many weights"),
        ("import time; time.sleep(60)", "did not end within"),
    ],
)
def test_a_check_that_breaks_is_reported(program: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_START", program)
    monkeypatch.setattr(selftest, "_absent", lambda need: [] if need == "litert" else ["x"])
    monkeypatch.setattr(selftest, "TIMEOUT_S", 2)
    report = self_test(gpus=NO_GPU)
    assert report.checks["litert"].ok is False
    assert told in report.checks["litert"].detail
    with pytest.raises(SelfTestError, match="litert: "):
        require(report)


def test_an_inference_that_finds_something_else_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    from pipeline.image import selftest_checks

    assert selftest_checks.main("litert", on_gpu=False) == 0
    monkeypatch.setattr(selftest_checks, "FOUND", (0.0, 0.0, 1.0, 1.0, 0.5, 0.0))
    assert selftest_checks.main("litert", on_gpu=False) == 1
    assert selftest_checks.main("nothing", on_gpu=False) == 1
