"""Fixtures that every room's tests use: real material, the command line, and an offline guard."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from pipeline.cli.main import run

# How long an example takes on a busy machine says nothing of the code. (Under CI hypothesis takes a profile
# of its own, which has no deadline either.)
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if settings.get_current_profile_name() == "default":
    settings.load_profile("untimed")

REAL = Path(__file__).resolve().parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real files and photos beside the checkout; tests skip where it is absent."""
    if not REAL.is_dir():
        pytest.skip("../shared/real is not here")
    return REAL


@dataclass(frozen=True)
class Ran:
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The JSON summary on stdout."""
        return json.loads(self.out)


@pytest.fixture
def repath(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command in this process: ``repath("data", "build-taxonomy", "--pack", path)``."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every test in a folder of its own, so that no test finds a workspace by accident."""
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("YOLO_AUTOINSTALL", "false")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.delenv("KAGGLE_WASTE_DIR", raising=False)
