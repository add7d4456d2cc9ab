"""The files that the image is made from: linted, locked, and nothing let in that does not belong."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline.image.context import DOCKERFILE, pack_context

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
LOCKS = ["lock-build.txt", "lock-common.txt", "lock-cpu.txt", "lock-cuda.txt"]


def _locked(name: str) -> dict[str, str]:
    text = (DOCKER / name).read_text("utf-8")
    return dict(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE))


def _constraints() -> dict[str, str]:
    lines = (DOCKER / "constraints.txt").read_text("utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_the_dockerfile_passes_its_linter() -> None:
    linter = Path(sysconfig.get_path("scripts")) / "hadolint"
    if not linter.is_file():
        pytest.skip("hadolint is not installed beside this Python")
    done = subprocess.run([linter, ROOT / DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("script", ["entrypoint.sh", "compile.sh"])
def test_the_scripts_are_for_any_posix_shell(script: str) -> None:
    assert (DOCKER / script).stat().st_mode & 0o111
    assert (DOCKER / script).read_text("utf-8").startswith("#!/bin/sh\n")
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-n", DOCKER / script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_file_has_its_hash_and_no_place(name: str) -> None:
    text = (DOCKER / name).read_text("utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert blocks
    for block in blocks:
        head, *hashes = [line.strip(" \\") for line in block.splitlines() if line.strip()]
        requirement = Requirement(head)
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), head
        assert requirement.url is None
        assert hashes, head
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes), head
    # No index, no folder, no address: where files come from is the business of who builds.
    assert not re.search(r"://|^-[a-z-]|--(index|extra|find|trusted)|[ =]/", text, re.MULTILINE)


def test_the_locks_hold_the_versions_that_were_tested_together() -> None:
    tested = _constraints()
    for name in LOCKS:
        locked = _locked(name)
        assert locked == {each: tested.get(each, version) for each, version in locked.items()}
    for each in ("torch", "ultralytics-opencv-headless", "litert-torch", "numpy", "pillow"):
        assert each in tested
        assert each in _locked("lock-common.txt")


def test_nothing_of_cuda_is_in_the_common_part_and_the_cpu_part_is_of_the_other() -> None:
    common, cuda, cpu = (_locked(f"lock-{name}.txt") for name in ("common", "cuda", "cpu"))
    assert not set(common) & set(cuda)
    assert set(cpu.items()) < set(cuda.items())
    assert [name for name in common if name.startswith(("nvidia", "cuda", "triton"))] == ["nvidia-ml-py"]
    assert "triton" not in cpu


def test_the_locks_are_those_that_the_settings_ask_for() -> None:
    """Every dependency of the base and the `train` extra is locked at a version that it allows."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    locked = _locked("lock-common.txt")
    wanted = [Requirement(text) for text in (*project["dependencies"], *extras["bench"], *extras["train"])]
    for requirement in wanted:
        if requirement.name != project["name"]:
            assert locked[canonicalize_name(requirement.name)] in requirement.specifier, str(requirement)


def test_the_script_splits_and_keeps_what_linux_needs() -> None:
    sys.path.insert(0, str(DOCKER))
    try:
        import make_locks  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(DOCKER))
    text = (
        "colorama==1 ; sys_platform == 'win32' \\\n    --hash=sha256:a\n"
        "nvidia-ml-py==2 \\\n    --hash=sha256:b\n"
        "nvidia-nccl-cu13==3 ; sys_platform == 'linux' \\\n    --hash=sha256:c\n"
        "tomli==4 ; python_full_version < '3.12' \\\n    --hash=sha256:d\n"
        "triton==5 \\\n    --hash=sha256:e\n    --hash=sha256:f\n"
    )
    common, cuda = make_locks.split(text)
    assert [block.split("==")[0] for block in common] == ["nvidia-ml-py", "tomli"]
    assert [block.split("==")[0] for block in cuda] == ["nvidia-nccl-cu13", "triton"]
    assert cuda[1].count("--hash") == 2


def test_the_build_sees_the_source_and_nothing_else(tmp_path: Path) -> None:
    import tarfile

    for name in (
        "Dockerfile.gpu", ".env", ".git/config", "README.md", "LICENSE", "pyproject.toml", "data/pack.json",
        "docker/lock-common.txt", "docker/entrypoint.sh", "docker/compile.sh", "docker/constraints.txt",
        "pipeline/__init__.py", "pipeline/cli/main.py", "pipeline/cli/.env.local", "pipeline/x/model.pt",
        "pipeline/__pycache__/a.pyc", "pipeline/cli/__pycache__/b.pyc", "runs/train/best.pt",
        "tests/test_x.py", "demo/repath.toml", "id_rsa", ".venv/bin/python",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "pipeline" / "away.py").symlink_to("/etc/passwd")
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    (tmp_path / "docker" / "entrypoint.sh").chmod(0o755)
    with tarfile.open(fileobj=pack_context(tmp_path, cache_mounts=True)) as archive:
        entries = archive.getmembers()
    assert sorted(entry.name for entry in entries) == [
        ".dockerignore", "Dockerfile.gpu", "LICENSE", "README.md", "docker/compile.sh",
        "docker/entrypoint.sh", "docker/lock-common.txt", "pipeline/__init__.py", "pipeline/cli/main.py",
        "pyproject.toml",
    ]  # fmt: skip
    modes = {entry.name: entry.mode for entry in entries}
    assert (modes["docker/entrypoint.sh"], modes["LICENSE"]) == (0o755, 0o644)


def test_the_same_checkout_is_the_same_context() -> None:
    assert pack_context(ROOT, cache_mounts=True).read() == pack_context(ROOT, cache_mounts=True).read()


def test_cache_mounts_are_left_out_where_the_builder_does_not_know_them(tmp_path: Path) -> None:
    import tarfile

    linter = Path(sysconfig.get_path("scripts")) / "hadolint"
    for keep in (True, False):
        with tarfile.open(fileobj=pack_context(ROOT, cache_mounts=keep)) as archive:
            member = archive.extractfile(DOCKERFILE)
            assert member is not None
            text = member.read().decode()
        assert ("--mount" in text) is keep
        assert text.count("--require-hashes") == (ROOT / DOCKERFILE).read_text("utf-8").count(
            "--require-hashes"
        )
        (tmp_path / "Dockerfile").write_text(text)
        if linter.is_file():
            subprocess.run([linter, tmp_path / "Dockerfile"], check=True)


def test_the_base_is_pinned_by_its_digest() -> None:
    from pipeline.image.build import CPU_BASE

    text = (ROOT / DOCKERFILE).read_text("utf-8")
    base = re.search(r"^ARG BASE_IMAGE=(\S+)$", text, re.MULTILINE)
    assert base is not None
    assert re.fullmatch(r"docker\.io/nvidia/cuda:13\.\d\.\d-base-ubuntu24\.04@sha256:[0-9a-f]{64}", base[1])
    assert re.fullmatch(r"docker\.io/library/debian:bookworm-slim@sha256:[0-9a-f]{64}", CPU_BASE)


def test_the_compose_file_is_as_tight_as_image_run() -> None:
    compose: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text("utf-8"))
    assert set(compose["services"]) == {"repath", "selftest"}
    for service in compose["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert any(each.startswith("/tmp:") for each in service["tmpfs"])
        (device,) = service["deploy"]["resources"]["reservations"]["devices"]
        assert device["capabilities"] == ["gpu"]
        assert (DOCKER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert compose["services"]["selftest"]["command"][:2] == ["image", "selftest"]
