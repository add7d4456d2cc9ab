"""The real image: built, tested from inside, and a whole run in it: another user, read-only, no network."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from image_cases import OWNER, Built, sample
from podman_engine import BASE, IMAGE, ROOT, repath_command
from workspaces import digests

from pipeline import __version__
from pipeline.lifecycle.stages import STAGES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_the_build_tells_what_it_does_and_what_came_out(built: Built) -> None:
    assert re.search(r"STEP \d+/\d+: COPY --from=program", built.log)
    assert built.summary["tag"] == IMAGE
    assert built.summary["variant"] == "cpu"
    assert built.summary["base_image"] == BASE
    assert not built.summary["pushed"]
    image = built.client.images.get(IMAGE)
    assert built.summary["image_id"] == image.id
    assert image.attrs["Config"]["User"] == "10001:10001"
    assert image.attrs["Config"]["Entrypoint"] == ["repath"]
    label = "org.opencontainers.image."
    assert image.labels[f"{label}version"] == __version__
    assert image.labels[f"{label}licenses"] == "MIT AND AGPL-3.0-only"
    assert image.labels[f"{label}source"].startswith("https://")
    revision = image.labels[f"{label}revision"].removesuffix("-dirty")
    # Of this repository; work may have gone on since the image was built.
    kind = subprocess.run(["git", "-C", ROOT, "cat-file", "-t", revision], capture_output=True, check=False)
    assert kind.stdout == b"commit\n" or revision == "unknown"


@pytest.mark.usefixtures("left_behind")
def test_the_self_test_passes_for_a_stranger_who_may_write_nothing(built: Built) -> None:
    told = json.loads(built.run("image", "selftest", "--require", "litert", "--require", "train"))
    assert told["ok"]
    assert told["in_image"]
    assert told["user"] == "4321:4321"
    assert told["checks"]["litert"]["ok"]
    assert told["checks"]["train"]["ok"]
    assert not told["cuda"]["seen"]
    assert told["cuda"]["why_not"]


def test_no_compiler_no_cache_no_test_and_no_source_uncompiled(built: Built) -> None:
    script = (
        "for tool in gcc cc g++ make pip pip3; do command -v $tool && exit 1; done\n"
        "cd /opt/venv/lib/python3*/site-packages\n"
        "find / -xdev \\( -path /proc -o -name '*.dist-info' -o -path /opt/venv/share \\) -prune -o "
        "\\( -type d \\( -name tests -o -name test \\) -o -name conftest.py -o -name '*_test.py' \\) -print "
        "2> /dev/null | sed 's/^/test: /'\n"
        "find /root /var/cache/apt /var/lib/apt/lists /home /tmp -type f 2> /dev/null | sed 's/^/cache: /'\n"
        "for module in pipeline/cli/main torch/__init__ ultralytics/__init__; do\n"
        "  ls ${module%/*}/__pycache__/${module##*/}.cpython-3*.pyc > /dev/null || echo uncompiled: $module\n"
        "done\n"
    )
    assert built.run("-c", script, entrypoint="sh") == ""


def test_the_programs_files_have_the_time_of_their_source(built: Built) -> None:
    created = built.client.images.get(IMAGE).labels["org.opencontainers.image.created"]
    script = "stat -c %Y /opt/venv/lib/python3*/site-packages/pipeline/__init__.py /opt/venv/bin/repath"
    found = {int(line) for line in built.run("-c", script, entrypoint="sh").splitlines()}
    assert found == {int(datetime.fromisoformat(created).timestamp())}


def test_ultralytics_neither_installs_nor_writes_outside_tmp(built: Built) -> None:
    script = (
        "from pipeline.support import ultralytics_library as library; library.prepare(why='x')\n"
        "from ultralytics.utils import AUTOINSTALL, SETTINGS_FILE\n"
        "from ultralytics.utils.checks import check_requirements\n"
        "import getpass, pathlib\n"
        "print(AUTOINSTALL, SETTINGS_FILE.parts[1], check_requirements('no-such-package-at-all'))\n"
        "print(getpass.getuser(), pathlib.Path.home())\n"
    )
    last = built.run("-c", script, entrypoint="python").splitlines()
    assert last[-2:] == ["False tmp False", "repath /home/repath"]


@pytest.mark.usefixtures("left_behind")
def test_a_whole_run_inside_ends_with_a_verified_release(
    built: Built, space: Path, repath: Callable[..., Any], tmp_path: Path
) -> None:
    done = built.engine.repath(
        "image", "run", "--network", "none", "--image", IMAGE, "--workspace", space, "--", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["workspace"] == str(space)
    assert re.findall(r"^\[ *\d+/\d+\] (\S+) +done", done.stderr, re.MULTILINE) == [
        each.name for each in STAGES
    ]
    manifest = space / told["stages"]["release"]["manifest"]
    assert repath("release", "verify-release", "--manifest", manifest).code == 0
    owners = {path.lstat().st_uid for path in space.rglob("*")}
    assert owners == {OWNER}
    # What ran inside is up to date outside, too: nothing in the journal names the container.
    again = built.engine.repath("run", "--workspace", space, cwd=tmp_path)
    assert re.findall(r"^\[ *\d+/\d+\] (\S+) +done", again.stderr, re.MULTILINE) == []


@pytest.mark.usefixtures("left_behind")
def test_what_runs_in_the_image_writes_the_same_bytes_as_outside(built: Built, tmp_path: Path) -> None:
    made, told = [], []
    for flags in ([], ["--in-image"]):
        space = sample(built.engine, tmp_path / "space")
        done = built.engine.repath(
            *flags, "run", "--until", "leakage", cwd=space, SOURCE_DATE_EPOCH="1767225600"
        )
        assert done.returncode == 0, done.stderr[-2000:]
        made.append({name: each for name, each in digests(space).items() if not name.startswith(".repath")})
        told.append(re.sub(r'"seconds": [\d.]+', "", done.stdout))
        shutil.rmtree(space)
    assert made[0] == made[1]
    assert told[0] == told[1]
    assert any(name.startswith("training/bundles/20260101-000000/") for name in made[0])


@pytest.mark.usefixtures("left_behind")
def test_a_workspace_can_say_that_its_commands_run_in_the_image(built: Built, space: Path) -> None:
    settings = space / "repath.toml"
    settings.write_text(settings.read_text() + "use = true\n")
    inside = built.engine.repath("data", "build-taxonomy", cwd=space)
    assert inside.returncode == 0, inside.stderr
    assert (space / "assets/models/municipal-taxonomy-v1.json").stat().st_uid == OWNER
    outside = built.engine.repath("--no-in-image", "data", "build-taxonomy", cwd=space)
    assert outside.stdout == inside.stdout


@pytest.mark.usefixtures("left_behind")
def test_the_commands_exit_code_and_streams_are_passed_on(built: Built, space: Path) -> None:
    for command, code in (("release verify-release --manifest none.json", 1), ("evaluation nothing", 2)):
        inside = built.engine.repath("--in-image", "--", *command.split(), cwd=space)
        outside = built.engine.repath(*command.split(), cwd=space)
        assert (inside.returncode, inside.stdout) == (code, "")
        assert inside.stderr == outside.stderr


@pytest.mark.usefixtures("left_behind")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_reaches_the_command_and_the_container_is_removed(
    built: Built, space: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    settings = space / "repath.toml"
    settings.write_text(settings.read_text().replace("epochs = 2", "epochs = 400"))
    log = tmp_path / "log"
    with log.open("wb") as stream:
        running = subprocess.Popen(
            repath_command("--in-image", "run", "--until", "train"),
            cwd=space,
            env=built.engine.for_repath(),
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    # The output is live: the first epoch is told while the others are still to come.
    end = time.monotonic() + 300
    while "epoch 1/400" not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        assert running.poll() is None, log.read_text()
        time.sleep(0.1)
    assert len(built.client.containers.list()) == 1
    running.send_signal(number)
    assert running.wait(timeout=120) == code
    assert "Traceback" not in log.read_text()


@pytest.mark.usefixtures("left_behind")
def test_gpus_that_the_engine_does_not_give_are_missed_inside(built: Built, space: Path) -> None:
    done = built.engine.repath("image", "run", "--gpus", "1", "--", "data", "build-taxonomy", cwd=space)
    assert done.returncode == 1
    assert "1 GPU(s) were asked for, and inside the container none is here" in done.stderr
    assert not (space / "assets").exists()


@pytest.mark.usefixtures("left_behind")
def test_root_in_a_container_writes_as_the_workspaces_owner(built: Built, space: Path) -> None:
    container = built.client.containers.create(
        IMAGE,
        ["data", "build-taxonomy"],
        user="0:0",
        working_dir="/workspace",
        volumes={str(space): {"bind": "/workspace", "mode": "rw"}},
        network_mode="none",
    )
    try:
        container.start()
        assert container.wait()["StatusCode"] == 0, container.logs()
    finally:
        container.remove(force=True)
    assert {path.stat().st_uid for path in (space / "assets").rglob("*")} == {OWNER}


def test_inspect_tells_layers_labels_digests_and_what_is_in_it(built: Built, tmp_path: Path) -> None:
    bills = []
    for name in ("one.json", "two.json"):
        done = built.engine.repath(
            "image", "inspect", "--image", IMAGE, "--sbom", tmp_path / name, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        bills.append((tmp_path / name).read_bytes())
    assert bills[0] == bills[1]
    told, bill = json.loads(done.stdout), json.loads(bills[0])
    assert told["image_id"] == built.summary["image_id"]
    assert sum(layer["bytes"] for layer in told["layers"]) >= 0.9 * told["bytes"]
    assert all(re.search(r"@sha256:[0-9a-f]{64}$", digest) for digest in told["digests"])
    assert told["labels"]["org.opencontainers.image.version"] == __version__
    assert told["sbom"]["components"] == len(bill["components"])
    found = {each["purl"].split("?")[0]: each for each in bill["components"]}
    torch = re.search(r"^torch==(\S+)", (ROOT / "docker/lock-common.txt").read_text(), re.MULTILINE)
    assert torch is not None
    assert f"pkg:pypi/torch@{torch[1]}" in found
    assert any(purl.startswith("pkg:deb/debian/tini@") for purl in found)
    ultralytics = next(each for purl, each in found.items() if "ultralytics-opencv-headless" in purl)
    assert "AGPL-3.0" in json.dumps(ultralytics["licenses"])


def test_what_is_in_the_image_is_what_the_lock_files_say(built: Built) -> None:
    script = (
        "import json\n"
        "from importlib.metadata import distributions\n"
        "print(json.dumps({each.name.lower().replace('_', '-'): each.version for each in distributions()}))"
    )
    installed = json.loads(built.run("-c", script, entrypoint="python"))
    locked = {}
    for name in ("lock-common.txt", "lock-cpu.txt"):
        text = (ROOT / "docker" / name).read_text()
        locked.update(re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE))
    assert installed.pop("repath-model") == __version__
    assert {name.replace(".", "-"): version for name, version in installed.items()} == locked


def test_a_change_of_the_source_leaves_the_libraries_layers(built: Built, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    for name in ("pipeline", "docker"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Dockerfile.gpu", ".dockerignore", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    with (checkout / "pipeline" / "__init__.py").open("a") as stream:
        stream.write("# one line more\n")
    tag = "localhost/repath-model:changed"
    done = built.engine.repath(
        "image", "build", "--cpu", "--base-image", BASE, "--network", "host", "--tag", tag, cwd=checkout
    )
    assert done.returncode == 0, done.stderr[-2000:]
    before, after = (built.client.images.get(each).attrs["RootFS"]["Layers"] for each in (IMAGE, tag))
    assert len(before) == len(after)
    assert [one == two for one, two in zip(before, after, strict=True)] == [True] * (len(before) - 1) + [
        False
    ]
    assert built.client.images.get(tag).labels["org.opencontainers.image.revision"] == "unknown"


def test_a_step_that_fails_is_named_with_what_it_said(built: Built, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile.gpu").write_text(
        f"FROM {BASE}\nRUN echo well\nRUN echo this is why >&2; exit 7\n"
    )
    done = built.engine.repath("image", "build", "--tag", "localhost/failing", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    error = done.stderr[done.stderr.index("error:") :]
    assert error.startswith("error: the build failed at STEP 3/3: RUN echo this is why")
    assert "  this is why" in error
    assert "well" not in error
    assert "Traceback" not in done.stderr


def test_an_image_is_pushed_and_its_digest_is_the_registrys(built: Built, tmp_path: Path) -> None:
    if shutil.which("docker-registry") is None:
        pytest.skip("not installed: docker-registry (apt-get install docker-registry)")
    (tmp_path / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        "http: {addr: 'localhost:5999'}\nlog: {level: error}\n"
    )
    (tmp_path / "Dockerfile.gpu").write_text("FROM scratch\nCOPY file /\n")
    (tmp_path / "file").write_text("small\n")
    registry = subprocess.Popen(
        ["docker-registry", "serve", str(tmp_path / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
    )
    try:
        time.sleep(2)
        done = built.engine.repath(
            "image", "build", "--tag", "localhost:5999/repath:x", "--push", cwd=tmp_path
        )
    finally:
        registry.terminate()
        registry.wait()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["pushed"]
    stored = tmp_path / "registry/docker/registry/v2/repositories/repath/_manifests/revisions/sha256"
    assert told["digest"].removeprefix("localhost:5999/repath@sha256:") in {
        each.name for each in stored.iterdir()
    }
    away = built.engine.repath("image", "build", "--tag", "localhost:5999/repath:x", "--push", cwd=tmp_path)
    assert away.returncode == 1
    assert "cannot be pushed" in away.stderr
