"""`repath image`: build the container image, run commands in it, look at it, and test it from inside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click

from pipeline.cli.common import DIRECTORY, FILE, emit, setting, workspace
from pipeline.cli.in_image import container_environment, run_and_show
from pipeline.support.errors import UsageError

_NEEDS = click.Choice(["gpu", "litert", "tensorflow", "train"])
_IMAGE = setting("--image", to="image.name", help="Name and tag of the image.")
_NETWORK = setting("--network", to="image.network", help="none, host, or a network of the engine's.")


@click.group()
def image() -> None:
    """Build the container image, run commands in it, look at it, and test it from inside."""


@image.command("build")
@setting("--tag", to="image.name", help="Name and tag of the image.")
@click.option(
    "--base-image", default=None, help="Build on this image  [NVIDIA's CUDA runtime; with --cpu Debian]"
)
@click.option("--cpu", is_flag=True, help="Without what only a GPU needs.")
@click.option("--push", is_flag=True, help="Push it to the registry that its name begins with.")
@click.option("--context", type=DIRECTORY, default=None, help="The checkout to build from  [where you stand]")
@click.option("--network", default=None, help="Network of the build's steps, such as host.")
@click.option("--no-cache", is_flag=True, help="Make every step anew.")
def build(
    tag: str,
    base_image: str | None,
    cpu: bool,
    push: bool,
    context: Path | None,
    network: str | None,
    no_cache: bool,
) -> None:
    """Build the image from Dockerfile.gpu; the log goes to stderr as it comes."""
    from pipeline.image.build import BuildOptions, build_image, describe, push_image
    from pipeline.image.context import find_context
    from pipeline.image.engine import open_engine

    options = BuildOptions(tag, "cpu" if cpu else "cuda", base_image, network, use_cache=not no_cache)
    root = find_context(context)
    started = time.monotonic()
    with open_engine() as engine:
        built = build_image(engine, root, options, _tell)
        seconds = round(time.monotonic() - started, 1)
        pushed = push_image(engine, tag, _tell) if push else None
        after = describe(engine, tag) if push else built
    summary = {**built, **after, "pushed": push, "digest": pushed or after["digest"], "seconds": seconds}
    rows: list[tuple[str, object]] = [
        ("image", summary["image_id"]),
        ("size", f"{summary['bytes'] / 1e9:.2f} GB"),
        ("digest", summary["digest"]),
        ("time", f"{seconds} s"),
    ]
    emit(summary, title=f"Built {tag}", rows=rows)


@image.command(
    "run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)  # fmt: skip
@_IMAGE
@setting("--gpus", to="image.gpus", help="all, or how many GPUs; checked inside before the command begins.")
@click.option(
    "--workspace",
    "directory",
    type=DIRECTORY,
    default=None,
    help="Folder to work in  [the nearest repath.toml's]",
)
@_NETWORK
@click.option(
    "--mount", "mounts", multiple=True, metavar="DIR[:rw]", help="One more folder; may be repeated."
)
@click.option("--env", "variables", multiple=True, metavar="NAME[=VALUE]", help="One more variable.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(
    image: str,
    gpus: str | None,
    directory: Path | None,
    network: str | None,
    mounts: tuple[str, ...],
    variables: tuple[str, ...],
    command: tuple[str, ...],
) -> int:
    """Run any repath COMMAND in the image: repath image run --gpus all -- run --until export

    The workspace is mounted where it is, files belong to you, the output comes live, and the exit code is the
    command's. Nothing but the workspace and /tmp can be written to.
    """
    from pipeline.image.mounts import mounts_of, shows
    from pipeline.image.run import RunOptions

    space = workspace()
    root = directory.absolute() if directory is not None else space.root
    if not root.is_dir():
        raise UsageError(f"--workspace {directory}: there is no such folder")
    here = Path.cwd() if shows(mounts_of(root, root, ()), Path.cwd()) else root
    options = RunOptions(
        image=image,
        command=_without_program(command),
        directory=here,
        mounts=mounts_of(root, here, [*space.settings.image.mounts, *mounts]),
        gpus=gpus,
        network=network,
        shm_size=space.settings.image.shm_size,
        environment={**container_environment(command), **_variables(variables)},
    )
    return run_and_show(options)


@image.command("inspect")
@_IMAGE
@click.option("--sbom", type=FILE, default=None, help="Write a bill of materials there (CycloneDX, JSON).")
def inspect(image: str, sbom: Path | None) -> None:
    """Tell an image's size by layer, labels, digests, and with --sbom what is in it."""
    from pipeline.image.engine import open_engine
    from pipeline.image.inspect import image_sbom, inspect_image

    with open_engine() as engine:
        told = inspect_image(engine, image)
        bill = image_sbom(engine, image) if sbom is not None else None
    summary = {**told, "sbom": _write_sbom(sbom, bill) if sbom is not None and bill is not None else None}
    rows: list[tuple[str, object]] = [
        ("id", told["image_id"]),
        *(("digest", digest) for digest in told["digests"]),
        ("version", told["labels"].get("org.opencontainers.image.version")),
        ("licences", told["labels"].get("org.opencontainers.image.licenses")),
        ("size", f"{told['bytes'] / 1e6:,.1f} MB"),
        *((f"{layer['bytes'] / 1e6:,.1f} MB", layer["made_by"][:80]) for layer in told["layers"]),
    ]
    emit(summary, title=f"Image {image}", rows=rows)


@image.command("selftest")
@click.option("--require", "needs", type=_NEEDS, multiple=True, help="What must be here; may be repeated.")
@click.option("--quick", is_flag=True, help="Look whether the libraries are here, and run none.")
def selftest(needs: tuple[Any, ...], quick: bool) -> None:
    """Test this installation: libraries, GPU or why there is none, an inference, a step of training."""
    from pipeline.image.selftest import require, self_test

    report = self_test(needs, quick=quick)
    data = report.to_data()
    rows: list[tuple[str, object]] = [
        ("Python", data["python"]),
        ("GPU", ", ".join(report.gpus.names) or report.gpus.why_not),
        *((name, f"{_MARKS[check.ok]}: {check.detail}") for name, check in report.checks.items()),
    ]
    emit(data, title="Self-test", rows=rows)
    require(report)


_MARKS = {True: "works", False: "fails", None: "not tried"}


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _without_program(command: tuple[str, ...]) -> tuple[str, ...]:
    """Drop a leading `repath`: whoever copies a whole command line means the same."""
    return command[1:] if command[0] == "repath" and len(command) > 1 else command


def _variables(texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, given, value = text.partition("=")
        if not name:
            raise UsageError(f"--env {text}: give NAME=VALUE, or the NAME of a variable that is set here")
        if not given and name not in os.environ:
            raise UsageError(f"--env {name}: it is not set here", hint=f"Give its value: --env {name}=…")
        found[name] = value if given else os.environ[name]
    return found


def _write_sbom(path: Path, bill: dict[str, Any]) -> dict[str, Any]:
    from pipeline.image.sbom import FORMAT
    from pipeline.support.files import sha256_file, write_text

    write_text(path, json.dumps(bill, indent=2, ensure_ascii=False) + "\n")
    return {
        "path": str(path),
        "sha256": sha256_file(path),
        "format": FORMAT,
        "components": len(bill["components"]),
    }
