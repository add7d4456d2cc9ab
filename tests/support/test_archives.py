"""Archives of others: what is plain comes out byte for byte, and nothing else does."""

from __future__ import annotations

import contextlib
import gzip
import io
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.support.archives import ArchiveLimits, Extracted, extract
from pipeline.support.errors import InputError, PathEscapeError

FILES = {"a.txt": b"first", "folder/b.json": b"{}", "folder/deeper/c d.bin": bytes(range(256)) * 40}
Make = Callable[[dict[str, bytes]], bytes]


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as out:
        warnings.simplefilter("ignore")  # a name behind a NUL is the one before it
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], *, packed: bool = True) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue()) if packed else buffer.getvalue()


MAKERS: dict[str, Make] = {"zip": zipped, "tar.gz": tarred, "tar": lambda f: tarred(f, packed=False)}


@pytest.fixture
def out(tmp_path: Path) -> Callable[..., Extracted]:
    """Take bytes out into a new folder, below which nothing may be but what is said."""
    count = 0

    def take(data: bytes, **limits: int) -> Extracted:
        nonlocal count
        count += 1
        archive = tmp_path / f"archive-{count}"
        archive.write_bytes(data)
        folder = tmp_path / f"place-{count}" / "inner"
        folder.mkdir(parents=True)
        try:
            return extract(archive, folder, limits=ArchiveLimits(**limits) if limits else None)
        finally:
            assert [path.name for path in folder.parent.iterdir()] == ["inner"]
            assert not any(path.is_symlink() for path in folder.rglob("*"))

    return take


@pytest.mark.parametrize("kind", MAKERS)
def test_plain_files_come_out_byte_for_byte(tmp_path: Path, out: Callable[..., Extracted], kind: str) -> None:
    found = out(MAKERS[kind](FILES))
    assert found.files == tuple(sorted(FILES))
    assert found.bytes == sum(map(len, FILES.values()))
    assert {name: (tmp_path / "place-1" / "inner" / name).read_bytes() for name in FILES} == FILES


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "name",
    [
        "../evil", "a/../../evil", "/etc/evil", "//evil", "..\\evil", "\\evil", "C:/evil", "C:evil", "a/..",
        "folder/../a.txt",
    ],
)  # fmt: skip
def test_a_name_that_leads_out_is_refused(out: Callable[..., Extracted], kind: str, name: str) -> None:
    with pytest.raises(PathEscapeError, match="leads out of the folder"):
        out(MAKERS[kind]({"fine.txt": b"x", name: b"evil"}))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("name", ["a\nb", "a\x1bb", "x" * 300, "d/" * 600 + "x", "a\u202eb"])
def test_a_name_that_no_screen_or_disk_takes_is_refused(
    out: Callable[..., Extracted], kind: str, name: str
) -> None:
    with pytest.raises(InputError):
        out(MAKERS[kind]({name: b"x"}))


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    "names",
    [
        ("a.txt", "A.TXT"),
        ("caf\u00e9", "cafe\u0301"),
        ("a.txt", "./a.txt"),
        ("a", "a/b"),
        ("a/b", "a"),
    ],
)
def test_two_entries_of_one_name_are_refused(
    out: Callable[..., Extracted], kind: str, names: tuple[str, str]
) -> None:
    with pytest.raises(InputError, match=r"stands twice|below what is a file"):
        out(MAKERS[kind]({names[0]: b"first", names[1]: b"second"}))


def test_the_same_name_twice_in_a_zip_is_refused(out: Callable[..., Extracted]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("candidate.json", "first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("candidate.json", "second")
    with pytest.raises(InputError, match="stands twice"):
        out(buffer.getvalue())


def test_a_link_in_a_zip_is_refused(out: Callable[..., Extracted]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="is a link"):
        out(buffer.getvalue())


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a special file"),
        (tarfile.FIFOTYPE, "a special file"),
    ],
)
def test_a_link_or_device_in_a_tar_is_refused(out: Callable[..., Extracted], kind: bytes, what: str) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("evil")
        info.type, info.linkname = kind, "../../etc/passwd"
        archive.addfile(info)
    with pytest.raises(InputError, match=what):
        out(buffer.getvalue())


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_stopped_by_what_comes_out_of_it(
    tmp_path: Path, out: Callable[..., Extracted], kind: str
) -> None:
    bomb = MAKERS[kind]({"zeros": bytes(60 << 20)})
    assert len(bomb) < 1 << 18
    with pytest.raises(InputError, match=r"larger than|holds more than"):
        out(bomb, max_bytes=1 << 20, max_file_bytes=1 << 20, max_files=10)
    assert sum(path.stat().st_size for path in tmp_path.rglob("zeros")) <= 1 << 20


def test_a_zip_whose_sizes_lie_is_stopped_all_the_same(out: Callable[..., Extracted]) -> None:
    data = bytearray(zipped({"zeros": bytes(4 << 20)}))
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        where = data.index(mark)
        struct.pack_into("<I", data, where + at, 10)
    with pytest.raises(InputError):
        out(bytes(data), max_bytes=1 << 20, max_file_bytes=1 << 20)


def test_many_files_are_stopped(out: Callable[..., Extracted]) -> None:
    many = {f"{number}": b"" for number in range(30)}
    for make in MAKERS.values():
        with pytest.raises(InputError, match="more than 20 files"):
            out(make(many), max_files=20)


def test_many_files_that_add_up_are_stopped(out: Callable[..., Extracted]) -> None:
    many = {f"{number}": bytes(1000) for number in range(30)}
    for make in MAKERS.values():
        with pytest.raises(InputError, match=r"holds more than .* bytes"):
            out(make(many), max_bytes=20_000)


def test_a_header_that_claims_gigabytes_is_not_read_into_memory(out: Callable[..., Extracted]) -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 4 << 30
    with pytest.raises(InputError, match="no usable archive"):
        out(gzip.compress(info.tobuf() + bytes(1 << 20)))


def test_an_encrypted_zip_is_refused(out: Callable[..., Extracted]) -> None:
    data = bytearray(zipped({"a": b"secret"}))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1
    with pytest.raises(InputError, match="encrypted"):
        out(bytes(data))


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04", b"\x1f\x8b", b"not an archive at all" * 99])
def test_what_is_no_archive_is_refused_in_words(out: Callable[..., Extracted], data: bytes) -> None:
    with pytest.raises(InputError, match="no usable archive"):
        out(data)


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_cut_anywhere_is_refused_or_whole(out: Callable[..., Extracted], kind: str) -> None:
    data = MAKERS[kind](FILES)
    for end in range(0, len(data), max(len(data) // 25, 1)):
        try:
            found = out(data[:end])
        except InputError:
            continue
        assert set(found.files) <= set(FILES)


def test_what_is_left_out_may_be_anything_but_may_not_lead_out(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("top/code/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        info = tarfile.TarInfo("top/data/a.txt")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    path = tmp_path / "a.tar"
    path.write_bytes(buffer.getvalue())
    folder = tmp_path / "out"
    folder.mkdir()
    prefix = "top/data/"
    found = extract(
        path, folder, take=lambda name: name.removeprefix(prefix) if name.startswith(prefix) else None
    )
    assert found.files == ("a.txt",)


names = st.text(st.sampled_from("ab./\\\0\n:é"), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(names, st.binary(max_size=20), max_size=4), kind=st.sampled_from(sorted(MAKERS)))
def test_whatever_names_there_are_nothing_lands_outside(
    out: Callable[..., Extracted], files: dict[str, bytes], kind: str
) -> None:
    with contextlib.suppress(InputError):
        out(MAKERS[kind](files))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(sorted(MAKERS)),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_a_damaged_archive_ends_in_words(
    out: Callable[..., Extracted], kind: str, changes: list[tuple[int, int]]
) -> None:
    data = bytearray(MAKERS[kind](FILES))
    for at, value in changes:
        data[at % len(data)] = value
    with contextlib.suppress(InputError):
        out(bytes(data))
