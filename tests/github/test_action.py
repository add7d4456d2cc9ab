"""The action's own part: words without a shell, outputs, summary and annotations that nothing ends."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.github.action import (
    ActionInputs,
    Ran,
    annotation_of,
    main,
    outputs_text,
    step_summary,
    summary_of,
    workflow_command,
)
from pipeline.support.errors import InputError, UsageError

HOSTILE = "$(touch pwned) `touch pwned` ; touch pwned | & > pwned * ~ $HOME \\"


class Step:
    """One step of a workflow: its environment, and the files that it writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.output, self.summary = folder / "output", folder / "summary"
        self.log = io.StringIO()
        self.code = -1

    def run(
        self, command: str, args: str = "", *, directory: str = ".", token: str = "", **more: str
    ) -> Step:
        import os

        environ = {
            **os.environ,
            "GITHUB_WORKSPACE": str(self.folder),
            "GITHUB_OUTPUT": str(self.output),
            "GITHUB_STEP_SUMMARY": str(self.summary),
            "REPATH_COMMAND": command,
            "REPATH_ARGS": args,
            "REPATH_DIRECTORY": directory,
            "REPATH_TOKEN": token,
            **more,
        }
        self.code = main(environ, self.log)
        return self

    @property
    def outputs(self) -> dict[str, str]:
        """Read the outputs as the runner does."""
        found = re.findall(r"^([\w-]+)<<(\S+)\n(.*?)\n\2$", self.output.read_text("utf-8"), re.M | re.S)
        return {name: value for name, _, value in found}


@pytest.fixture
def step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Step:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))
    return Step(tmp_path)


def test_a_command_runs_and_its_summary_becomes_an_output(step: Step) -> None:
    done = step.run("init", "my-city")
    assert done.code == 0
    assert done.outputs["exit-code"] == "0"
    assert "my-city" in json.loads(done.outputs["summary"])["workspace"]
    assert (step.folder / "my-city" / "repath.toml").is_file()
    assert "✅ repath init my-city" in done.summary.read_text("utf-8")
    assert "::error" not in done.log.getvalue()


def test_an_error_is_annotated_and_its_code_handed_on(step: Step) -> None:
    done = step.run("release verify-release", "--manifest missing.json")
    assert done.code == 1
    assert done.outputs == {"summary": "null", "exit-code": "1"}
    [line] = [line for line in done.log.getvalue().splitlines() if line.startswith("::error")]
    assert line.startswith("::error title=repath release verify-release::")
    assert "missing.json" in line
    assert "❌ repath release verify-release" in done.summary.read_text("utf-8")


@pytest.mark.parametrize("command", ["", "   ", "github context 'open"])
def test_what_is_no_command_is_refused(step: Step, command: str) -> None:
    done = step.run(command)
    assert done.code == 2
    assert done.outputs["exit-code"] == "2"
    assert "::error title=repath action::" in done.log.getvalue()


def test_nothing_in_the_inputs_is_run_or_expanded(step: Step) -> None:
    done = step.run("release verify-release", f"--manifest {HOSTILE!r}")
    assert done.code == 1
    assert [path.name for path in step.folder.iterdir() if "pwned" in path.name] == []
    assert HOSTILE.replace("\\", "") in done.log.getvalue().replace("\\", "")
    inputs = ActionInputs.of({"REPATH_COMMAND": "run", "REPATH_ARGS": f'--until "{HOSTILE}x"'})
    assert inputs.words[:2] == ("run", "--until")
    assert len(inputs.words) == 3


@pytest.mark.parametrize("directory", ["..", "/", "nowhere", "../elsewhere", "link"])
def test_the_working_directory_stays_in_the_checkout(step: Step, directory: str) -> None:
    (step.folder / "link").symlink_to("/")
    with pytest.raises(InputError, match="working-directory"):
        ActionInputs.of(
            {"REPATH_COMMAND": "run", "GITHUB_WORKSPACE": str(step.folder), "REPATH_DIRECTORY": directory}
        )


def test_the_token_reaches_the_command_alone(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that shows its environment would show the token only where it was given."""
    program = step.folder / "code" / "pipeline"
    program.mkdir(parents=True)
    (program / "__init__.py").touch()
    (program / "__main__.py").write_text("import json, os; print(json.dumps(dict(os.environ)))")
    monkeypatch.setenv("PYTHONPATH", str(program.parent))
    monkeypatch.delenv("GITHUB_TOKEN", raising=False)
    shown = json.loads(step.run("x", token="the-token").outputs["summary"])
    assert shown["GITHUB_TOKEN"] == "the-token"
    assert "REPATH_TOKEN" not in shown
    step.output.unlink()
    assert "GITHUB_TOKEN" not in json.loads(step.run("x").outputs["summary"])


def test_a_printed_line_is_no_workflow_command(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    program = step.folder / "code" / "pipeline"
    program.mkdir(parents=True)
    (program / "__init__.py").touch()
    (program / "__main__.py").write_text("import sys; print('::set-env name=X::1', file=sys.stderr)")
    monkeypatch.setenv("PYTHONPATH", str(program.parent))
    log = step.run("x").log.getvalue()
    stop = re.search(r"^::stop-commands::(\w{32})$", log, re.M)
    assert stop is not None
    assert log.index(stop[0]) < log.index("::set-env") < log.index(f"\n::{stop[1]}::\n")


def test_what_a_command_writes_for_people_goes_into_the_job_summary(tmp_path: Path) -> None:
    (tmp_path / "verdict.md").write_text("## Better\n\n| figure |\n", "utf-8")
    inputs = ActionInputs(("evaluation", "compare", "--markdown", "verdict.md"), tmp_path, "")
    assert step_summary(inputs, Ran(3, "", "")) == "## Better\n\n| figure |\n"
    # What an earlier command left is not shown for one that failed.
    assert "Better" not in step_summary(inputs, Ran(1, "", "error: no"))
    assert ActionInputs(("x", "--markdown=a.md"), tmp_path, "").markdown == tmp_path / "a.md"
    assert ActionInputs(("x", "--markdown"), tmp_path, "").markdown is None


def test_a_table_cannot_leave_its_fence(tmp_path: Path) -> None:
    text = step_summary(ActionInputs(("run",), tmp_path, ""), Ran(0, "", "a ```` b\n# no heading"))
    assert text.count("`````") == 2


def test_the_gate_has_words_of_its_own(tmp_path: Path) -> None:
    inputs = ActionInputs(("evaluation", "compare-benchmark-results", "--gate"), tmp_path, "")
    told = annotation_of(inputs, Ran(3, "", "note: x\nerror: not met\n  any_hit_rate\nhint: train longer"))
    assert told == (
        "::error title=repath evaluation compare-benchmark-results%3A the gate says no::"
        "not met%0A  any_hit_rate%0Ahint: train longer"
    )


def test_too_large_a_summary_is_left_out() -> None:
    assert summary_of(json.dumps({"a": "x" * (1 << 20)})) == "null"
    assert summary_of("no JSON") == "null"
    assert summary_of('{"a":\n 1}') == '{"a": 1}'


@given(message=st.text(), title=st.text())
def test_an_annotation_is_one_line_whatever_it_says(message: str, title: str) -> None:
    line = workflow_command("error", message, title=title)
    assert "\n" not in line
    assert "\r" not in line
    head, _, rest = line.removeprefix("::error title=").partition("::")
    assert ":" not in head
    undone = rest.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    assert undone == message


@given(value=st.text(alphabet=st.characters(blacklist_categories=["Cs"])))
def test_an_output_cannot_end_itself(value: str) -> None:
    text = outputs_text({"summary": value, "exit-code": "0"})
    mark = re.match(r"summary<<(\S+)\n", text)
    assert mark is not None
    body, _, rest = text[mark.end() :].partition(f"\n{mark[1]}\n")
    assert body == value
    assert rest.startswith("exit-code<<")


def test_usage_of_quotes_is_told() -> None:
    with pytest.raises(UsageError, match="args"):
        ActionInputs.of({"REPATH_COMMAND": "run", "REPATH_ARGS": "'"})
