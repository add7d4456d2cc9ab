from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts.settings import Data
from pipeline.github.references import (
    ArchiveReference,
    AssetReference,
    Reference,
    RepositoryReference,
    checked_references,
    parse_reference,
    references_of,
)
from pipeline.support.errors import UsageError

SHA = "a" * 64


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("owner/name", RepositoryReference("owner/name")),
        ("owner/name@v1", RepositoryReference("owner/name", "v1")),
        ("owner/name@feature/a:data/sets", RepositoryReference("owner/name", "feature/a", "data/sets")),
        ("owner/name:data/", RepositoryReference("owner/name", None, "data")),
        (
            f"https://example.org/a/set.zip#sha256={SHA}",
            ArchiveReference("https://example.org/a/set.zip", SHA),
        ),
        (
            f"owner/name@v1/set.tar.gz#sha256={SHA.upper()}",
            AssetReference("owner/name", "v1", "set.tar.gz", SHA),
        ),
        (f"owner/name@data/v1/set.zip#sha256={SHA}", AssetReference("owner/name", "data/v1", "set.zip", SHA)),
    ],
)
def test_a_reference_says_where_data_is(text: str, wanted: Reference) -> None:
    assert parse_reference(f" {text}\n") == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a repository"),
        ("name", "not a repository"),
        ("a/b/c", "not a repository"),
        ("owner/name@", "no branch"),
        ("owner/name@a..b", "no branch"),
        ("owner/name@-x", "no branch"),
        ("owner/name@v1:../up", "no folder"),
        ("https://example.org/set.zip", "needs its digest"),
        ("https://example.org/set.zip#sha256=abc", "no sha256"),
        (f"https://example.org/set.zip#md5={SHA}", "no sha256"),
        (f"ftp://example.org/set.zip#sha256={SHA}", "http"),
        (f"https://user:secret@example.org/set.zip#sha256={SHA}", "user name"),
        (f"https://example.org/#sha256={SHA}", "no name of an archive"),
        (f"https://example.org/set.rar#sha256={SHA}", "no name of an archive"),
        (f"https://example.org/..%2f..zip#sha256={SHA}", "no name of an archive"),
        (f"owner/name@v1/$(id).zip#sha256={SHA}", "no name of an archive"),
        (f"owner/name/set.zip#sha256={SHA}", "no file of a release"),
        ("owner/name@v1\nGITHUB_TOKEN=x", "line break"),
    ],
)
def test_what_is_none_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        parse_reference(text)
    assert "secret" not in str(caught.value)


def test_a_signature_in_a_url_is_not_told() -> None:
    found = parse_reference(f"https://example.org/set.zip?signature=secret#sha256={SHA}")
    assert found.text == f"https://example.org/set.zip#sha256={SHA}"


@given(st.text(max_size=60))
def test_any_text_is_a_reference_or_an_error_in_words(text: str) -> None:
    try:
        found = parse_reference(text)
    except UsageError:
        return
    assert parse_reference(found.text) == found


def test_settings_name_a_repository_and_archives() -> None:
    settings = Data(
        repository="o/n", ref="v1", path="sets", archives=[f"https://example.org/a.zip#sha256={SHA}"]
    )
    assert [item.text for item in references_of(settings)] == [
        "o/n@v1:sets",
        f"https://example.org/a.zip#sha256={SHA}",
    ]
    assert references_of(Data()) == []


def test_two_repositories_or_two_archives_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="one repository at most"):
        checked_references([parse_reference("a/b"), parse_reference("a/c")])
    with pytest.raises(UsageError, match="two archives are called set"):
        checked_references(
            [parse_reference(f"https://{host}/Set.zip#sha256={SHA}") for host in ("a.org", "b.org")]
        )
