from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.release.bundle import build_release
from pipeline.release.verify import verify_release
from pipeline.support.errors import ReleaseError, RepathError

MANIFEST = "release-manifest-v1.0.0.json"
MODEL = "yolo-repath-v1.0.0.tflite"
FILES = [MANIFEST, MODEL, "yolo-repath-v1.0.0.labels.json", "SHA256SUMS"]


@pytest.fixture
def bundle(model_file: Callable[..., Path], labels_file: Path, tmp_path: Path) -> Path:
    built = build_release(version="1.0.0", model=model_file(), labels=labels_file, out_root=tmp_path / "dist")
    return built.directory


def copy_of(bundle: Path, tmp_path: Path) -> Path:
    target = tmp_path / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(bundle, target)
    return target


def test_a_bundle_verifies_wherever_it_was_downloaded_to(bundle: Path, tmp_path: Path) -> None:
    verified = verify_release(copy_of(bundle, tmp_path) / MANIFEST)
    assert verified.manifest.tag == "v1.0.0"
    assert verified.manifest_sealed
    assert verified.bytes_checked == sum((bundle / name).stat().st_size for name in FILES[1:3])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_byte_changed_in_any_file_is_found(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = copy_of(bundle, tmp_path) / data.draw(st.sampled_from(FILES))
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] = data.draw(st.integers(0, 255).filter(lambda value: value != content[at]))
    path.write_bytes(content)
    with pytest.raises(RepathError):
        verify_release(path.parent / MANIFEST)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_cut_or_addition_in_any_file_is_found(bundle: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = copy_of(bundle, tmp_path) / data.draw(st.sampled_from(FILES))
    content = path.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    added = data.draw(st.binary(max_size=3))
    changed = (
        content[:at] + added + content[at + 1 :] if data.draw(st.booleans()) else content + b"\n" + added
    )
    if changed != content:
        path.write_bytes(changed)
        with pytest.raises(RepathError):
            verify_release(path.parent / MANIFEST)


@pytest.mark.parametrize("name", FILES)
def test_a_file_removed_renamed_or_linked_is_found(bundle: Path, tmp_path: Path, name: str) -> None:
    copy = copy_of(bundle, tmp_path)
    (copy / name).rename(copy / f"{name}.old")
    manifest = copy / (MANIFEST if name != MANIFEST else f"{MANIFEST}.old")
    with pytest.raises(ReleaseError, match=r"is missing|file name"):
        verify_release(manifest)
    (copy / f"{name}.old").rename(tmp_path / name)
    with pytest.raises(RepathError, match=r"is missing|does not exist"):
        verify_release(copy / MANIFEST)
    (copy / name).symlink_to(tmp_path / name)
    with pytest.raises(ReleaseError, match="is a link"):
        verify_release(copy / MANIFEST)


def test_a_file_or_folder_that_is_not_listed_is_found(bundle: Path) -> None:
    (bundle / ".DS_Store").write_bytes(b"")
    (bundle / "sub").mkdir()
    with pytest.raises(ReleaseError) as caught:
        verify_release(bundle / MANIFEST)
    assert ".DS_Store: is not listed" in caught.value.message
    assert "sub: is a folder" in caught.value.message


def test_all_faults_are_named_at_once(bundle: Path) -> None:
    (bundle / MODEL).write_bytes(b"short")
    (bundle / "SHA256SUMS").write_text("nonsense\n")
    with pytest.raises(ReleaseError) as caught:
        verify_release(bundle / MANIFEST)
    assert "SHA256SUMS, line 1: is not" in caught.value.message
    assert f"{MODEL}: has 5 bytes" in caught.value.message


@pytest.mark.parametrize("name", ["../up.tflite", "/etc/passwd", "a/b.tflite", "..", "a\\u0000b", "a b"])
def test_a_file_name_that_leaves_the_bundle_is_refused(bundle: Path, name: str) -> None:
    path = bundle / MANIFEST
    path.write_text(path.read_text().replace(f'"{MODEL}"', f'"{name}"'))
    with pytest.raises(RepathError, match="is not a plain file name"):
        verify_release(path)


def test_a_bundle_of_the_system_before_whose_checksums_leave_out_the_manifest_still_verifies(
    bundle: Path,
) -> None:
    sums = bundle / "SHA256SUMS"
    sums.write_text("".join(line + "\n" for line in sums.read_text().splitlines() if "manifest" not in line))
    assert not verify_release(bundle / MANIFEST).manifest_sealed


def test_a_checksum_list_with_a_file_twice_or_a_stranger_is_refused(bundle: Path) -> None:
    sums = bundle / "SHA256SUMS"
    text = sums.read_text()
    sums.write_text(text + text.splitlines()[0] + "\n" + "0" * 64 + "  other.bin\n")
    with pytest.raises(ReleaseError) as caught:
        verify_release(bundle / MANIFEST)
    assert "again" in caught.value.message
    assert "lists other.bin" in caught.value.message


def test_the_command_says_what_is_wrong_and_ends_with_1(repath: Callable[..., object], bundle: Path) -> None:
    (bundle / MODEL).unlink()
    ran = repath("release", "verify-release", "--manifest", bundle / MANIFEST)
    assert ran.code == 1
    assert f"{MODEL}: is missing" in ran.err
    assert ran.out == ""
