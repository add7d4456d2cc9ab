"""docs/github.md is what is there: its tables agree with the files, and its examples run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from act_runs import ROOT, SHIPPED, WORKFLOWS, Project, workflow

PAGE = (ROOT / "docs" / "github.md").read_text("utf-8")
NAME = "krispeterson/repath-model"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def examples() -> dict[str, str]:
    """Return the workflows that the page shows, by name."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
    return {yaml.safe_load(block)["name"]: block for block in blocks}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """The pipeline as another repository's workflows get it: its files, and nothing of the tests."""
    folder = tmp_path / "published"
    folder.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def with_example(project: Project, published: Path, name: str) -> str:
    """Put an example into a repository that holds a workspace and no pipeline; return its file's name."""
    for shipped in SHIPPED:
        path = project.repository / shipped
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    file = f"{name.lower().replace(' ', '-')}.yml"
    text = examples()[name].replace("@COMMIT", f"@{COMMIT}")
    project.commit({f".github/workflows/{file}": text})
    project.more_repositories = {f"{NAME}@{COMMIT}": published}
    return file


@pytest.mark.slow
def test_the_example_of_coverage_runs(project: Project, published: Path) -> None:
    file = with_example(project, published, "Coverage")
    run = project.run("push", file, {"ref": "refs/heads/main"})
    assert run.ok, run.text[-4000:]
    assert "4 labels have a picture" in run.text


@pytest.mark.slow
def test_the_example_of_a_step_that_may_fail_runs(project: Project, published: Path) -> None:
    file = with_example(project, published, "Released model")
    run = project.run("push", file, {"ref": "refs/heads/main"})
    assert run.ok, run.text[-4000:]
    assert "there is no such release yet" in run.text
    assert "::error title=repath github fetch-release::" in run.text


def described(column: str, source: str = PAGE) -> set[str]:
    """Return the first cells, in code, of the table whose head begins with ``column``."""
    match = re.search(rf"^( *)\| {column} \|.*\n\1\|[-|]+\|\n((?:\1\|.*\n)+)", source, re.M)
    assert match is not None, column
    return set(re.findall(r"^ *\| `([^`]+)` \|", match[2], re.M))


def test_the_tables_of_inputs_and_outputs_are_those_of_the_action() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert described("input") == set(action["inputs"])
    assert described("output") == set(action["outputs"])


def test_every_variable_and_secret_is_described_and_no_other() -> None:
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS.glob("*.yml"))
    assert described("variable") == set(re.findall(r"vars\.(\w+)", text))
    assert described("secret") == set(re.findall(r"secrets\.([A-Z_]+)", text))


def test_every_right_to_write_is_described() -> None:
    table = PAGE.partition("| workflow | job |")[2].partition("\n\n")[0]
    for path in sorted(WORKFLOWS.glob("*.yml")):
        for job in workflow(path.name)["jobs"].values():
            for scope, level in job["permissions"].items():
                assert level == "read" or scope in table, f"{path.name}: {scope}"
    assert all(f"`{path.name}`" in PAGE for path in WORKFLOWS.glob("*.yml"))


def test_the_pins_of_the_page_are_those_of_the_workflows() -> None:
    pins: dict[str, Any] = dict(re.findall(r"uses: (actions/\S+)@(\S+)", PAGE))
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS.glob("*.yml"))
    assert pins
    assert all(f"{name}@{ref}" in text for name, ref in pins.items())
