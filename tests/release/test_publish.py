from __future__ import annotations

from pathlib import Path

import pytest
from release_files import write_bundle

from pipeline.release.publication import publication_of
from pipeline.support.errors import InputError, ReleaseError


def test_a_publication_holds_the_bundle_and_what_is_attached(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path / "dist", "1.2.3")
    sbom = tmp_path / "image.sbom.json"
    sbom.write_text("{}")
    wanted = publication_of(manifest, title="RePath Model", attachments=[sbom], commit="a" * 40)
    assert [file.name for file in wanted.files] == [
        "yolo-repath-v1.2.3.tflite",
        "yolo-repath-v1.2.3.labels.json",
        "release-manifest-v1.2.3.json",
        "SHA256SUMS",
        "image.sbom.json",
    ]
    assert (wanted.tag, wanted.name, wanted.prerelease) == ("v1.2.3", "RePath Model v1.2.3", False)
    assert all(file.bytes == file.path.stat().st_size for file in wanted.files)


@pytest.mark.parametrize(
    ("version", "prerelease"), [("1.0.0", False), ("1.0.0-rc.1", True), ("0.0.0-0", True)]
)
def test_a_pre_release_is_told_by_its_version(tmp_path: Path, version: str, prerelease: bool) -> None:
    assert publication_of(write_bundle(tmp_path, version), title="x").prerelease is prerelease


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a b.json", b"{}", "cannot be that of a release's file"),
        ("empty.json", b"", "has 0 bytes"),
        ("sha256sums", b"x", "two files of the release have the name"),
    ],
)
def test_an_attachment_that_github_would_change_or_refuse_is_refused_first(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReleaseError, match=reason):
        publication_of(write_bundle(tmp_path / "dist"), title="x", attachments=[tmp_path / name])


def test_what_is_not_there_or_does_not_verify_is_not_published(tmp_path: Path) -> None:
    manifest = write_bundle(tmp_path / "dist")
    with pytest.raises(InputError):
        publication_of(manifest, title="x", attachments=[tmp_path / "none"])
    (manifest.parent / "SHA256SUMS").write_text("")
    with pytest.raises(ReleaseError):
        publication_of(manifest, title="x")
