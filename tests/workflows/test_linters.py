"""What others' linters say of workflows, action, settings and shell scripts: nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from act_runs import ROOT, WORKFLOWS

BIN = Path(sys.executable).parent
ALL = sorted(WORKFLOWS.glob("*.yml"))
STAND_INS = sorted((ROOT / "tests" / "workflows" / "actions").rglob("action.yml"))
SCRIPTS = sorted(
    path
    for path in [ROOT / ".ci" / "run", *(ROOT / "docker").glob("*"), *(ROOT / ".github").rglob("*")]
    if path.is_file() and path.read_bytes()[:2] == b"#!" and b"sh" in path.read_bytes().split(b"\n")[0]
)


def lint(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a linter of this environment in the project; it is offline, so nothing is fetched."""
    name, *words = map(str, command)
    found = shutil.which(name, path=os.pathsep.join([str(BIN), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"{name} is not installed")
    env = {**os.environ, "PATH": os.pathsep.join([str(BIN), os.environ["PATH"]]), "NO_COLOR": "1"}
    return subprocess.run(
        [found, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False
    )


def assert_clean(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_pedantic() -> None:
    done = lint("zizmor", "--offline", "--persona", "pedantic", ".github", "action.yml")
    assert_clean(done)
    assert "No findings" in done.stdout + done.stderr


def test_zizmor_would_tell(tmp_path: Path) -> None:
    """Of an expression in a script: the linter that we rely on for it is awake."""
    bad = (WORKFLOWS / "ci.yml").read_text("utf-8").replace("make lint", "echo ${{ github.head_ref }}")
    path = tmp_path / "ci.yml"
    path.write_text(bad, "utf-8")
    done = lint("zizmor", "--offline", "--persona", "pedantic", path)
    assert done.returncode != 0
    assert "template-injection" in done.stdout


def test_actionlint() -> None:
    assert shutil.which("shellcheck", path=str(BIN)) or shutil.which("shellcheck")
    assert_clean(lint("actionlint", "-no-color"))


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", ALL),
        ("custom.github-workflows-require-timeout", ALL),
        ("vendor.github-actions", [ROOT / "action.yml", *STAND_INS]),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ],
    ids=["workflows", "timeouts", "actions", "dependabot"],
)
def test_schemas(schema: str, paths: list[Path]) -> None:
    assert paths
    assert_clean(lint("check-jsonschema", "--builtin-schema", schema, *paths))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_shellcheck(script: Path) -> None:
    assert_clean(lint("shellcheck", script))
