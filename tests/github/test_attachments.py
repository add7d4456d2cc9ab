"""Attachments of an earlier run: taken up from draft and release, left where cut or of other files."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from github_server import REPO, FakeGitHub
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.contracts.release import ReleaseManifest
from pipeline.github.attachments import fetch_attachments
from pipeline.github.client import GitHubClient
from pipeline.github.host import GitHubReleases
from pipeline.support.documents import read_json

SBOM = b'{"bomFormat": "CycloneDX", "specVersion": "1.6"}'


def provenance(*files: bytes) -> bytes:
    subjects = [
        {"name": str(number), "digest": {"sha256": hashlib.sha256(data).hexdigest()}}
        for number, data in enumerate(files)
    ]
    statement = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects}
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return json.dumps({"dsseEnvelope": {"payload": payload}, "verificationMaterial": {}}).encode()


def of_bundle(bundle: Path) -> bytes:
    manifest = read_json(bundle, ReleaseManifest)
    return provenance(*((bundle.parent / item.filename).read_bytes() for item in manifest.artifacts))


@pytest.fixture
def attached(api: FakeGitHub, client: GitHubClient, bundle: Path) -> Callable[..., None]:
    """Have a release, or its draft, of the bundle's tag with these files."""

    def attach(files: dict[str, bytes], *, draft: bool = True) -> None:
        host = GitHubReleases(client, REPO)
        made = host.create_draft(tag="v1.0.0", name="x", notes="", prerelease=False, commit=None)
        release = api.releases[made.id]
        for name, data in files.items():
            number = api.new_id()
            release["assets"].append(
                {"id": number, "name": name, "state": "uploaded", "type": "application/json"}
            )
            api.blobs[number] = data
        release["draft"] = draft

    return attach


def fetched(client: GitHubClient, bundle: Path, out: Path) -> tuple[dict[str, bytes], dict[str, str]]:
    found = fetch_attachments(GitHubReleases(client, REPO), read_json(bundle, ReleaseManifest), out_dir=out)
    return {path.name: path.read_bytes() for path in found.kept}, found.left


@pytest.mark.parametrize("draft", [True, False])
def test_what_is_there_stands_in_the_place_of_what_was_made_anew(
    client: GitHubClient, bundle: Path, tmp_path: Path, attached: Callable[..., None], draft: bool
) -> None:
    files = {"provenance.sigstore.json": of_bundle(bundle), "image.cdx.json": SBOM}
    attached({**files, "notes.json": b"{}"}, draft=draft)
    out = tmp_path / "attached"
    out.mkdir()
    (out / "image.cdx.json").write_bytes(b'{"bomFormat": "CycloneDX", "made": "anew"}')
    kept, left = fetched(client, bundle, out)
    assert kept == files
    assert left == {}
    assert {path.name: path.read_bytes() for path in out.iterdir()} == files


def test_nothing_is_there_before_the_first_run(client: GitHubClient, bundle: Path, tmp_path: Path) -> None:
    assert fetched(client, bundle, tmp_path / "out") == ({}, {})


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("provenance.sigstore.json", provenance(b"another model"), "does not speak of"),
        ("provenance.sigstore.json", b'{"dsseEnvelope": {"payload": "###"}}', "base64"),
        ("provenance.sigstore.json", b'{"dsseEnvelope": {"payload": "e30="}}', "not what its name says"),
        ("provenance.sigstore.json", b"[]", "not what its name says"),
        ("image.cdx.json", SBOM[:-9], "not whole"),
        ("image.cdx.json", b'{"spdxVersion": "SPDX-2.3"}', "not what its name says"),
    ],
)
def test_what_is_cut_or_of_other_files_is_left(
    client: GitHubClient,
    bundle: Path,
    tmp_path: Path,
    attached: Callable[..., None],
    name: str,
    data: bytes,
    why: str,
) -> None:
    attached({name: data})
    kept, left = fetched(client, bundle, tmp_path / "out")
    assert kept == {}
    assert why in left[name]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(min_value=0, max_value=10_000), garbage=st.binary(max_size=20))
def test_no_damaged_provenance_is_taken_up(
    api: FakeGitHub,
    client: GitHubClient,
    bundle: Path,
    tmp_path: Path,
    attached: Callable[..., None],
    cut: int,
    garbage: bytes,
) -> None:
    whole = of_bundle(bundle)
    damaged = whole[: cut % len(whole)] + garbage
    api.releases.clear()
    attached({"provenance.sigstore.json": damaged or b"\0"})
    kept, left = fetched(client, bundle, tmp_path / "out")
    assert kept == {} or damaged.strip() == whole
    assert bool(kept) != bool(left)


def test_the_command_tells_what_it_kept(
    repath: Callable[..., Any],
    on_api: FakeGitHub,
    bundle: Path,
    tmp_path: Path,
    attached: Callable[..., None],
) -> None:
    attached({"image.cdx.json": SBOM, "provenance.sigstore.json": b"{"})
    words = ("--repo", REPO, "--manifest", bundle, "--out-dir", tmp_path / "out")
    done = repath("github", "fetch-attachments", *words)
    assert done.code == 0, done.err
    assert [Path(path).name for path in done.json["kept"]] == ["image.cdx.json"]
    assert "provenance.sigstore.json of v1.0.0 is left" in done.err
