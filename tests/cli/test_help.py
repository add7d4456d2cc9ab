"""The command line from outside: every command and flag of the playbook is there, and explained."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from pipeline.cli.common import SettingOption
from pipeline.cli.lazy import LazyGroup
from pipeline.cli.main import repath as repath_group

Repath = Callable[..., Any]

PLAYBOOK = {
    "data build-taxonomy": "--pack --out",
    "data suggest-benchmark-from-kaggle": "--manifest --kaggle-dir --cache-dir --out --merge-into",
    "data suggest-benchmark-online": "--input --out --merge-into --limit --offset --timeout-ms --max-retries "
    "--include-previous-failures",
    "data normalize-benchmark-labeled-urls": "--input --cache-dir --out",
    "data dedupe-benchmark-labeled": "--input --out --keep-first --keep-last --dry-run",
    "evaluation build-benchmark-manifest": "--taxonomy --seed --out",
    "evaluation check-benchmark-coverage": "--taxonomy --manifest --out --min-coverage",
    "evaluation build-supported-holdout-manifest": "--labels --input-csv --retraining-manifest --cache-dir "
    "--out --kaggle-dir --manual-seed --per-label --no-download --candidates-root",
    "evaluation build-resolved-benchmark-manifest": "--manifest --completed --cache-dir --out "
    "--append-manifest --no-download --no-copy-local",
    "evaluation benchmark-candidate-model": "--candidate-dir --candidates-root --model --labels --manifest "
    "--out --threshold --topk --supported-only",
    "evaluation compare-benchmark-results": "--baseline --candidate --out",
    "training build-retraining-manifest": "--input --out",
    "training build-annotation-bundle": "--manifest --out-dir --run-id --refresh --no-download --dry-run "
    "--annotations",
    "training validate-annotation-bundle": "--bundle-root --bundle-dir --out --strict",
    "training train-detector-from-annotation": "--bundle-root --bundle-dir --candidate-root --project "
    "--model --epochs "
    "--imgsz --batch --device --workers --patience --name --run-id --nms --no-nms --half --int8 --fraction "
    "--skip-validate --max-image-pixels --max-image-dim --dry-run --seed",
    "training promote-candidate-model": "--candidates-root --candidate-dir --candidate-id --from-analysis "
    "--assets-dir --prefix --write-metadata --metadata-path --dry-run",
    "release build-release": "--version --model --labels --source-run-id --notes-file --out-root",
    "release verify-release": "--manifest",
    "init": "--sample",
    "run": "--workspace --from --until",
}
"""Command to the flags that people and scripts use today."""


def _commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command and group below the program, with its name as it is typed."""
    waiting: list[tuple[str, click.Command]] = [("", repath_group)]
    while waiting:
        name, command = waiting.pop()
        if isinstance(command, click.Group):
            context = click.Context(command)
            for each in command.list_commands(context):
                found = command.get_command(context, each)
                assert found is not None
                waiting.append((f"{name} {each}".strip(), found))
        if name:
            yield name, command


COMMANDS = dict(_commands())
LEAVES = sorted(name for name, command in COMMANDS.items() if not isinstance(command, click.Group))


def _flags(command: click.Command) -> set[str]:
    options = [each for each in command.params if isinstance(each, click.Option)]
    return {flag for option in options for flag in (*option.opts, *option.secondary_opts)}


def test_the_playbook_has_eighteen_commands_and_all_are_here() -> None:
    assert len([name for name in PLAYBOOK if " " in name]) == 18
    assert set(PLAYBOOK) <= set(LEAVES)


@pytest.mark.parametrize("name", PLAYBOOK)
def test_a_command_has_the_flags_of_the_playbook_and_shows_them(name: str, repath: Repath) -> None:
    wanted = set(PLAYBOOK[name].split())
    assert wanted <= _flags(COMMANDS[name])
    page = repath(*name.split(), "--help")
    assert page.code == 0
    assert page.err == ""
    assert wanted <= set(re.findall(r"--[a-z0-9-]+", page.out))


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_and_every_flag_says_what_it_is(name: str) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip()
    for option in command.params:
        if isinstance(option, click.Option):
            # What stands in brackets is where the default comes from, not what the flag does.
            text = re.sub(r"\[repath\.toml: [\w.]+\]", "", option.help or "").strip()
            assert text, f"{name}: {option.opts[0]} has no help"


def test_the_list_of_commands_says_what_each_command_says() -> None:
    for name, group in [("", repath_group), *COMMANDS.items()]:
        if isinstance(group, LazyGroup):
            for each, (place, text) in group.lazy.items():
                module, _, attribute = place.partition(":")
                command = getattr(importlib.import_module(module), attribute)
                assert isinstance(command, click.Command), f"{name} {each}"
                assert len(text) <= 79
                assert text.endswith(".")


@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_h_is_help_everywhere(name: str, repath: Repath) -> None:
    assert repath(*name.split(), "-h").out == repath(*name.split(), "--help").out != ""


def _needs_a_path(command: click.Command) -> bool:
    return any(
        isinstance(each, SettingOption) and each.required and each.setting.startswith("paths.")
        for each in command.params
    )


@pytest.mark.parametrize("name", [name for name in LEAVES if _needs_a_path(COMMANDS[name])])
def test_outside_a_workspace_a_path_must_be_given(name: str, repath: Repath) -> None:
    ran = repath(*name.split())
    assert ran.code == 2
    assert ran.out == ""
    assert "Missing" in ran.err


def _output(*command: str, **more: str) -> str:
    environment = {**os.environ, "COLUMNS": "100", **more}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    return done.stdout


def test_the_module_is_the_program() -> None:
    script = Path(sys.executable).with_name("repath")
    if not script.is_file():
        pytest.skip("the console script is not installed beside this Python")
    assert _output(sys.executable, "-m", "pipeline", "--help") == _output(str(script), "--help")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["dat"], "data"),
        (["trainig"], "training"),
        (["data", "build-taxonmy"], "build-taxonomy"),
        (["evaluation", "benchmark-candidate"], "benchmark-candidate-model"),
        (["training", "promote-candidate"], "promote-candidate-model"),
        (["release", "build-relase"], "build-release"),
        (["run", "--work-space", "x"], "--workspace"),
    ],
)
def test_what_is_misspelt_is_told_the_nearest(typed: list[str], meant: str, repath: Repath) -> None:
    ran = repath(*typed)
    assert ran.code == 2
    assert ran.out == ""
    assert meant in ran.err
    assert "Traceback" not in ran.err


def test_a_reader_that_goes_away_is_no_error() -> None:
    # `head` ends after one line; the help page is written in one go, so it is closed before as well.
    for reader in ("head -n 1", "true"):
        for command in ("--help", "evaluation --help", "training train-detector-from-annotation --help"):
            line = f"{sys.executable} -m pipeline {command} | {reader}"
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")


def test_a_summary_whose_reader_goes_away_is_no_error(repath: Repath) -> None:
    assert repath("init", "here", "--sample").code == 0
    line = f"{sys.executable} -m pipeline data build-taxonomy | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, cwd="here")
    assert done.returncode == 0
    assert "rror" not in done.stderr


def test_output_that_cannot_be_written_is_one_clear_error(repath: Repath) -> None:
    assert repath("init", "here", "--sample").code == 0
    for command in ("data build-taxonomy", "--help"):
        line = f"{sys.executable} -m pipeline {command} > /dev/full"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, cwd="here")
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert [line for line in done.stderr.splitlines() if line.startswith("error:")] == [
            "error: standard output: No space left on device"
        ]
