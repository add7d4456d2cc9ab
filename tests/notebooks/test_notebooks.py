"""The notebooks: clean in git, without a shell, and run whole on the sample workspace."""

from __future__ import annotations

import ast
import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from workspaces import SETTINGS, TINY, environment, program

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
BOTH = sorted(NOTEBOOKS.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[str]:
    notebook = json.loads(path.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_there_are_two() -> None:
    assert [path.name for path in BOTH] == ["release_workflow.ipynb", "retraining_workflow.ipynb"]


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_a_notebook_holds_no_output_and_nothing_of_the_machine_it_was_written_on(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
        assert cell["metadata"] == {}
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert set(notebook["metadata"]["language_info"]) == {"name"}
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    pytest.importorskip("nbformat").validate(notebook)


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_a_notebook_uses_functions_and_no_shell(path: Path) -> None:
    for source in cells(path, "code"):
        for node in ast.walk(ast.parse(source)):  # a line with ! or % is no Python
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", "") or ""]
                assert not {"subprocess", "os"} & set(names)
                assert not any(name.startswith("pipeline.cli") for name in names)


@pytest.mark.parametrize("path", BOTH, ids=lambda path: path.stem)
def test_every_part_of_a_notebook_is_introduced(path: Path) -> None:
    notebook = json.loads(path.read_text("utf-8"))
    kinds = [cell["cell_type"] for cell in notebook["cells"]]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= 8


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Both notebooks, run one after the other on the sample, as a person runs them; and their workspace."""
    for needed in ("ultralytics", "litert_torch", "ipykernel"):
        pytest.importorskip(needed)
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    space = tmp_path_factory.mktemp("notebooks") / "space"
    assert program("init", space, "--sample", cwd=space.parent).returncode == 0
    (space / "tiny.yaml").write_text(TINY)
    (space / "repath.toml").write_text(SETTINGS.format(epochs=3))
    done: dict[str, Any] = {"space": space}
    here = {key: value for key, value in environment().items() if not key.startswith(("GITHUB_", "GH_"))}
    roots = tmp_path_factory.mktemp("roots")
    here["REPATH_TRAINING_ARTIFACTS_ROOT"] = str(roots)
    done["roots"] = roots
    for name in ("retraining_workflow", "release_workflow"):
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        client = nbclient.NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(space)}}
        )
        client.execute(env=here)
        done[name] = notebook
    return done


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def text(notebook: Any) -> str:
    parts = []
    for output in outputs(notebook):
        data = output.get("data", {})
        parts += [output.get("text", ""), data.get("text/plain", ""), data.get("text/markdown", "")]
    return "\n".join(map(str, parts))


def pictures(notebook: Any) -> list[bytes]:
    found = [
        output["data"]["image/png"] for output in outputs(notebook) if "image/png" in output.get("data", {})
    ]
    return [base64.b64decode(picture) for picture in found]


@pytest.mark.slow
@pytest.mark.train
def test_the_retraining_notebook_goes_from_coverage_to_a_verdict(executed: dict[str, Any]) -> None:
    notebook = executed["retraining_workflow"]
    told = text(notebook)
    assert "0 of 4 labels have no ready picture" in told
    assert "none of 24 benchmark pictures was seen in training" in told
    assert "epoch 3/3" in told  # the line of progress below the curves
    assert "mAP50-95" in told
    assert all(picture.startswith(b"\x89PNG") for picture in pictures(notebook))
    # Coverage, positives, negatives, boxes, curves, predictions, changed pictures.
    assert len(pictures(notebook)) >= 6
    assert [output["name"] for output in outputs(notebook) if output["output_type"] == "stream"].count(
        "stderr"
    ) == 0
    assert not [output for output in outputs(notebook) if output["output_type"] == "error"]


@pytest.mark.slow
@pytest.mark.train
def test_the_root_that_the_environment_names_holds_what_training_leaves(executed: dict[str, Any]) -> None:
    roots, space = executed["roots"], executed["space"]
    assert {path.name for path in roots.iterdir()} == {
        "bundles", "candidates", "retraining-manifest.json", "training-runs",
    }  # fmt: skip
    assert not (space / "candidates").exists()
    told = text(executed["retraining_workflow"])
    assert "REPATH_TRAINING_ARTIFACTS_ROOT" in told
    assert "environment" in told


@pytest.mark.slow
@pytest.mark.train
def test_the_release_notebook_verifies_what_it_built_and_plans_a_publication(
    executed: dict[str, Any],
) -> None:
    told = text(executed["release_workflow"])
    assert "The first detector of Sample Town" in told
    assert "v0.1.0 verifies" in told
    assert "Refused, as it should be:" in told
    assert "GITHUB_REPOSITORY and GITHUB_TOKEN not set, so GitHub was not asked" in told
    assert "upload yolo-repath-v0.1.0.tflite" in told
    assert (executed["space"] / "dist" / "releases" / "v0.1.0" / "SHA256SUMS").is_file()


@pytest.mark.slow
@pytest.mark.train
def test_a_workspace_that_a_notebook_worked_on_is_up_to_date_for_the_command_line(
    executed: dict[str, Any], tmp_path: Path
) -> None:
    copy = tmp_path / "space"
    shutil.copytree(executed["space"], copy, symlinks=True)
    # Without the root the stages that do not depend on it stand as they are.
    done = program("run", "--until", "coverage", cwd=copy)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("up to date") == 5
