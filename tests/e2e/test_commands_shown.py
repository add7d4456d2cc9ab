"""Every command that the guide and the README show is run, page by page, as a reader would; what is shown of
its output is what it prints. What cannot be run here says why, and its flags are parsed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import pytest
import report_cases
import shown
from github_server import API, FakeGitHub
from shown import Block, blocks, commands, inline_commands, name_of, pages
from workspaces import environment

from pipeline.cli.main import repath as repath_group
from pipeline.contracts.settings import Settings

PAGES = pages()
STATUS = "block"
RUN = {"repath", "cd", "cp", "cat", "echo", "sha256sum"}
"""What a block may run; anything else, such as pip, is parsed only and says why."""


class Folder:
    """The folder in which a page is read: what its fixtures put there, and the variables they set."""

    def __init__(self, path: Path, finished: Path, stack: contextlib.ExitStack) -> None:
        self.path = path
        self.variables: dict[str, str] = {}
        self._finished = finished
        self._stack = stack

    def take(self, fixture: str) -> None:
        """Put there what a page takes as given."""
        {
            "pack": self._pack, "finished": self._workspace, "compared": self._compared,
            "github": self._github, "commons": self._commons,
        }[fixture]()  # fmt: skip

    def _pack(self) -> None:
        """The pack of a city and three pictures; no workspace yet."""
        shutil.copy(self._finished / "data" / "pack.json", self.path / "my-city.pack.json")
        pictures = sorted((self._finished / "data" / "images" / "training").glob("*.jpg"))
        for number, picture in enumerate(pictures[:3], start=1):
            shutil.copy(picture, self.path / f"picture-{number}.jpg")

    def _workspace(self) -> None:
        """A workspace after every quick command, with a tiny model that is also the candidate ``c``."""
        shutil.copytree(self._finished, self.path, dirs_exist_ok=True)

    def _compared(self) -> None:
        """A workspace with the results of two models on nine pictures."""
        report_cases.workspace(self.path)

    def _github(self) -> None:
        """A GitHub on loopback, and a token for it."""
        github = FakeGitHub()
        self._stack.enter_context(github.running())
        self._stack.callback(lambda: _nothing_amiss(github))
        self.variables |= {"GITHUB_API_URL": f"{github.url}{API}", "GITHUB_TOKEN": github.token}

    def _commons(self) -> None:
        """A Wikimedia Commons on loopback that knows no picture; settings must allow its address."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyCommons)
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.variables["REPATH_COMMONS_API"] = f"http://127.0.0.1:{server.server_port}/w/api.php"


class EmptyCommons(BaseHTTPRequestHandler):
    """The search of a MediaWiki in which nothing is found."""

    def do_GET(self) -> None:
        body = b'{"batchcomplete": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _nothing_amiss(github: FakeGitHub) -> None:
    assert github.violations == []


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Iterator[Folder]:
    with contextlib.ExitStack() as stack:
        made = Folder(tmp_path / "reader", finished, stack)
        made.path.mkdir()
        programs = tmp_path / "programs"
        programs.mkdir()
        program = programs / "repath"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pipeline "$@"\n')
        program.chmod(0o755)
        made.variables = environment(
            COLUMNS="100",
            PATH=os.pathsep.join([str(programs), os.environ["PATH"]]),
            PYTHONPATH=os.pathsep.join([str(shown.ROOT), os.environ.get("PYTHONPATH", "")]),
        )
        yield made


def _runs(block: Block) -> bool:
    return block.language == "sh" and block.said("parsed only") is None


def _script(page: Sequence[Block], outputs: Path) -> str:
    """Return all blocks as one shell script, so that a ``cd`` holds for the next block, too."""
    lines = ["set -u"]
    for number, block in enumerate(page):
        lines += [f"set -e\n{said}\nset +e" for name, said in block.directives if name == "before"]
        if _runs(block):
            lines.append("set -e" if block.said("exit") is None else "set +e")
            lines.append(f"{{\n{block.text}}} > {outputs}/{number} 2>&1")
            lines.append(f"echo {STATUS} {number} $?\nset +e")
    return "\n".join(lines)


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(_runs, blocks(page)))], ids=name_of)
def test_every_command_shown_runs_and_prints_what_is_shown(
    page: Path, folder: Folder, tmp_path: Path
) -> None:
    found = blocks(page)
    for block in found:
        for name, said in block.directives:
            if name == "fixture":
                folder.take(said)
        if _runs(block):
            others = {words[0].lstrip("(") for words in commands(block.text)} - RUN
            assert not others, f"{block.place}: {others} is not run by the tests: say why, above the block"
    outputs = tmp_path / "outputs"
    outputs.mkdir()
    done = subprocess.run(
        ["bash", "-c", _script(found, outputs)],
        cwd=folder.path, env=folder.variables, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    codes = {int(number): int(code) for number, code in re.findall(rf"{STATUS} (\d+) (\d+)", done.stdout)}
    for number, block in enumerate(found):
        if _runs(block):
            told = outputs / str(number)
            output = told.read_text() if told.is_file() else done.stderr
            assert codes.get(number) == int(block.said("exit") or 0), (
                f"{block.place} ended otherwise:\n{output}"
            )
    for number, (block, following) in enumerate(itertools.pairwise(found)):
        if _runs(block) and following.language == "text" and following.said("not output") is None:
            _assert_printed(following, (outputs / str(number)).read_text())


def _assert_printed(block: Block, output: str) -> None:
    """Hold the lines of a block against an output: each stands there, in this order; ``…`` is any text."""
    rest = [" ".join(line.split()) for line in output.splitlines()]
    for line in block.text.splitlines():
        if line.strip():
            wanted = re.compile(".*".join(map(re.escape, " ".join(line.split()).split("…"))))
            place = next((number for number, each in enumerate(rest) if wanted.fullmatch(each)), None)
            assert place is not None, f"{block.place}: {line!r} is not in what was printed:\n{output}"
            rest = rest[place + 1 :]


ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]
PARSED = [block for block in ALL_BLOCKS if block.language == "sh" and not _runs(block)]


@pytest.mark.parametrize("block", PARSED, ids=lambda block: block.place)
def test_what_cannot_be_run_is_parsed_and_names_a_test_that_is_there(
    block: Block, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    reason = block.said("parsed only") or ""
    assert len(reason.split()) >= 4, f"{block.place}: say why it cannot be run"
    for named in re.findall(r"tests/[\w/]+\.py", reason):
        assert (shown.ROOT / named).is_file(), f"{block.place}: there is no {named}"
    for words in commands(block.text):
        _assert_known(words, block.place)


def _assert_known(words: list[str], place: str) -> None:
    while "=" in words[0]:
        words = words[1:]
    program, *rest = words
    if program == "repath":
        _parsed(rest, place)
    elif program == "make":
        targets = set(re.findall(r"^([\w-]+):", (shown.ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in rest if "=" not in word} <= targets, f"{place}: make has no such target"
    elif program == "pip":
        extras = tomllib.loads((shown.ROOT / "pyproject.toml").read_text())["project"][
            "optional-dependencies"
        ]
        for named in re.findall(r"\[([\w,-]+)\]", " ".join(rest)):
            assert set(named.split(",")) <= set(extras), f"{place}: there is no such extra"


def _parsed(words: list[str], place: str) -> None:
    """Parse a command line as the program does, down to the last flag, and run nothing."""
    command: click.Command = repath_group
    context = click.Context(command, info_name="repath")
    try:
        while isinstance(command, click.Group):
            context = command.make_context(context.info_name, words, parent=context.parent)
            name, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
            assert found is not None
            assert name is not None
            command, context = found, click.Context(found, info_name=name, parent=context)
        command.make_context(context.info_name, words, parent=context.parent)
    except click.ClickException as error:
        pytest.fail(f"{place}: {error.format_message()}")
    except click.exceptions.Exit:
        assert "--help" in words or "--version" in words


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_named_in_the_text_is_there_with_its_flags(page: Path) -> None:
    for words in inline_commands(page):
        command: click.Command = repath_group
        context = click.Context(command, info_name="repath")
        rest = words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name, *rest = rest
            if re.fullmatch(r"<.+>|…", name):
                rest = []
                break
            found = command.get_command(context, name)
            assert found is not None, f"{name_of(page)}: `{shlex.join(words)}` is no command"
            command = found
        flags = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)} | {"--help"}
        used = {word.partition("=")[0].strip("[]…") for word in rest if word.strip("[").startswith("--")}
        assert used <= flags, f"{name_of(page)}: `{shlex.join(words)}` has no {used - flags}"


HELP = [block for block in ALL_BLOCKS if block.language == "text" and block.text.startswith("Usage: repath")]


@pytest.mark.parametrize("block", HELP, ids=lambda block: block.place)
def test_a_help_page_that_is_shown_is_the_program_s(block: Block) -> None:
    from click.testing import CliRunner

    words = block.text.partition("[OPTIONS]")[0].split()[2:]
    page = CliRunner().invoke(repath_group, [*words, "--help"], prog_name="repath", terminal_width=80)
    assert block.text == page.output


def test_a_help_page_is_shown() -> None:
    assert HELP


@pytest.mark.parametrize(
    "block",
    [block for block in ALL_BLOCKS if block.language in ("toml", "json")],
    ids=lambda block: block.place,
)
def test_settings_and_files_that_are_shown_can_be_read(block: Block) -> None:
    if block.language == "toml":
        Settings.model_validate(tomllib.loads(block.text))
    else:
        json.loads(block.text)


def test_every_block_says_what_it_is() -> None:
    known = {"sh", "text", "toml", "json", "yaml"}
    assert [block.place for block in ALL_BLOCKS if block.language not in known] == []
