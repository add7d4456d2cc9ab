"""Run one `repath` command for `action.yml`: outputs, job summary and annotations; no shell sees the inputs.

The composite action passes its inputs as environment variables. They are split into words as a shell would,
and nothing in them is expanded or run. What the command prints goes to the log between ``stop-commands``
marks, so that a line of it, such as a label out of a picture list, is never taken for a workflow command.
Sources: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands and
https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts for what is escaped how.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pipeline.support.errors import InputError, RepathError, UsageError
from pipeline.support.files import is_within, open_input

MAX_OUTPUT = 1 << 20
"""Bytes of JSON that become the output ``summary``; GitHub takes no more for the outputs of a job."""
MAX_SUMMARY = 900 << 10
"""Bytes of Markdown for one step's summary, of which GitHub takes 1 MiB."""
_LINES_KEPT = 200
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_GATE_SAYS_NO = 3


@dataclass(frozen=True, slots=True)
class ActionInputs:
    """The inputs of the action that matter once the pipeline is there."""

    words: tuple[str, ...]
    """The command and its arguments."""
    directory: Path
    token: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> ActionInputs:
        """Read ``REPATH_COMMAND``, ``REPATH_ARGS``, ``REPATH_DIRECTORY`` and ``REPATH_TOKEN``.

        Raises:
            UsageError: there is no command, or quotes do not match.
            InputError: the working directory is no folder, or lies outside the checkout.
        """
        words = (*_words(environ, "REPATH_COMMAND", "command"), *_words(environ, "REPATH_ARGS", "args"))
        if not words:
            raise UsageError("the input `command` is empty", hint="Such as: evaluation report")
        base = Path(environ.get("GITHUB_WORKSPACE") or ".")
        named = environ.get("REPATH_DIRECTORY") or "."
        directory = base / named
        if not is_within(directory, base) or not directory.is_dir():
            raise InputError(
                f"working-directory {named!r} is no folder of the checkout",
                hint="It is relative to the workspace of the job; check the repository out first.",
            )
        return cls(words, directory, environ.get("REPATH_TOKEN", ""))

    @property
    def markdown(self) -> Path | None:
        """The file that ``--markdown`` names: what the command writes for people."""
        for number, word in enumerate(self.words):
            name, equals, value = word.partition("=")
            if name == "--markdown":
                named = value if equals else (self.words[number + 1 : number + 2] or ("",))[0]
                return self.directory / named if named else None
        return None


@dataclass(frozen=True, slots=True)
class Ran:
    """How the command ended."""

    code: int
    out: str
    err: str
    """The last lines of stderr, without colours."""


def _words(environ: Mapping[str, str], name: str, shown: str) -> list[str]:
    try:
        return shlex.split(environ.get(name, ""))
    except ValueError as error:
        raise UsageError(f"the input `{shown}` cannot be split into words: {error}") from error


def run_command(inputs: ActionInputs, environ: Mapping[str, str], log: IO[str]) -> Ran:
    """Run ``repath`` in a process of its own, with this interpreter, and let the log follow."""
    env = {key: value for key, value in environ.items() if not key.startswith("REPATH_TOKEN")}
    if inputs.token:
        env["GITHUB_TOKEN"] = inputs.token
    mark = secrets.token_hex(16)
    log.write(f"::stop-commands::{mark}\n")
    log.flush()
    try:
        with subprocess.Popen(  # noqa: S603 - a list of words for our own program; no shell
            [sys.executable, "-P", "-m", "pipeline", *inputs.words],
            cwd=inputs.directory,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as process:
            out, err = _follow(process, log)
        log.write(out if not out or out.endswith("\n") else f"{out}\n")
    finally:
        log.write(f"::{mark}::\n")
        log.flush()
    return Ran(process.returncode, out, err)


def _follow(process: subprocess.Popen[str], log: IO[str]) -> tuple[str, str]:
    """Copy stderr to the log as it comes; read stdout meanwhile, so that neither pipe fills up."""
    from concurrent.futures import ThreadPoolExecutor

    assert process.stdout is not None
    assert process.stderr is not None
    kept: deque[str] = deque(maxlen=_LINES_KEPT)
    with ThreadPoolExecutor(1) as pool:
        out = pool.submit(process.stdout.read)
        for line in process.stderr:
            log.write(line)
            log.flush()
            kept.append(_ANSI.sub("", line))
        return out.result(), "".join(kept)


def summary_of(out: str) -> str:
    """Return the JSON summary on one line; ``null`` where the command printed none, or too much."""
    try:
        text = json.dumps(json.loads(out), ensure_ascii=False)
    except ValueError:
        return "null"
    return text if len(text.encode()) <= MAX_OUTPUT else "null"


def annotation_of(inputs: ActionInputs, ran: Ran) -> str | None:
    """Return the workflow command that shows the error beside the run, or None where all went well."""
    if ran.code == 0:
        return None
    what = " ".join(word for word in inputs.words[:2] if not word.startswith("-"))
    title = f"repath {what}: the gate says no" if ran.code == _GATE_SAYS_NO else f"repath {what}"
    return workflow_command("error", _error_in(ran), title=title)


def _error_in(ran: Ran) -> str:
    """Return what stands from the last ``error:`` on, else the last line."""
    lines = ran.err.rstrip().split("\n")
    starts = [number for number, line in enumerate(lines) if line.lower().startswith("error:")]
    if starts:
        first = lines[starts[-1]].partition(":")[2].strip()
        return "\n".join([first, *lines[starts[-1] + 1 :]])
    return lines[-1] or f"ended with {ran.code}"


def workflow_command(name: str, message: str, **properties: str) -> str:
    """Return ``::name key=value::message`` with everything escaped that could end it or start another."""
    text = message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    given = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {given}::{text}" if given else f"::{name}::{text}"


def _property(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace(":", "%3A").replace(",", "%2C")


def step_summary(inputs: ActionInputs, ran: Ran) -> str:
    """Return the Markdown for the job summary: what the command wrote for people, else its table."""
    path = inputs.markdown
    if path is not None and ran.code in {0, _GATE_SAYS_NO} and path.is_file():
        with open_input(path) as stream:
            written: str = stream.read(MAX_SUMMARY).decode("utf-8", "ignore")
        return f"{written.rstrip()}\n"
    told = ran.err.strip() or "(nothing)"
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", told)), default=0))
    sign = "✅" if ran.code == 0 else "❌"
    title = re.sub(r"[^\w -]", " ", " ".join(inputs.words[:2]))
    return f"### {sign} repath {title}\n\n{fence}text\n{told}\n{fence}\n"


def outputs_text(values: Mapping[str, str]) -> str:
    """Return lines for ``GITHUB_OUTPUT``; the delimiter is random, so no value can end itself."""
    lines = []
    for name, value in values.items():
        mark = f"end-{secrets.token_hex(16)}"
        lines += [f"{name}<<{mark}", value, mark]
    return "\n".join(lines) + "\n"


def main(environ: Mapping[str, str] | None = None, log: IO[str] | None = None) -> int:
    """Run the action's command and return its exit code."""
    environ = os.environ if environ is None else environ
    log = sys.stdout if log is None else log
    try:
        inputs = ActionInputs.of(environ)
    except RepathError as error:
        log.write(workflow_command("error", str(error), title="repath action") + "\n")
        code = error.exit_code
        _append(environ, "GITHUB_OUTPUT", outputs_text({"summary": "null", "exit-code": str(code)}))
        return code
    ran = run_command(inputs, environ, log)
    _append(
        environ,
        "GITHUB_OUTPUT",
        outputs_text({"summary": summary_of(ran.out), "exit-code": str(ran.code)}),
    )
    _append(environ, "GITHUB_STEP_SUMMARY", step_summary(inputs, ran))
    annotation = annotation_of(inputs, ran)
    if annotation is not None:
        log.write(f"{annotation}\n")
        log.flush()
    return ran.code


def _append(environ: Mapping[str, Any], name: str, text: str) -> None:
    path = environ.get(name)
    if path:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text)


if __name__ == "__main__":
    sys.exit(main())
