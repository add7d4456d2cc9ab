from __future__ import annotations

import csv
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.support.commons_urls import (
    FILE_PATH,
    canonical_url,
    commons_file_name,
    file_url,
    normalized_file_name,
    source_key,
)

FORM = "https://commons.wikimedia.org/wiki/Special:FilePath/Plastic%20bottle.jpg"
SAME = [
    FORM,
    "http://commons.wikimedia.org/wiki/Special:FilePath/Plastic%20bottle.jpg",
    "https://commons.wikimedia.org/wiki/Special:FilePath/File:Plastic%20bottle.jpg",
    "https://commons.wikimedia.org/wiki/Special:Filepath/plastic_bottle.jpg",
    "https://commons.wikimedia.org/wiki/Special:FilePath/Plastic bottle.jpg?width=300",
    "https://commons.wikimedia.org/wiki/Special:Redirect/file/Plastic_bottle.jpg",
    "https://commons.wikimedia.org/wiki/File:Plastic_bottle.jpg",
    "https://commons.wikimedia.org/wiki/File%3APlastic_bottle.jpg#filelinks",
    "https://commons.wikimedia.org/wiki/Image:Plastic__bottle.jpg",
    "https://commons.m.wikimedia.org/wiki/File:Plastic_bottle.jpg",
    "https://commons.wikimedia.org/w/index.php?title=File:Plastic_bottle.jpg&uselang=de",
    "https://commons.wikimedia.org/wiki/Category:Bottles#/media/File:Plastic_bottle.jpg",
    "https://upload.wikimedia.org/wikipedia/commons/a/ab/Plastic_bottle.jpg",
    "http://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Plastic_bottle.jpg/800px-Plastic_bottle.jpg",
    "https://COMMONS.wikimedia.org:443/wiki/File:%50lastic_bottle.jpg",
    f" {FORM} ",
]
OTHER = [
    "",
    "images/tin-can.png",
    "https://example.org/wiki/File:Plastic_bottle.jpg",
    "https://en.wikipedia.org/wiki/File:Plastic_bottle.jpg",
    "https://upload.wikimedia.org/wikipedia/en/a/ab/Plastic_bottle.jpg",
    "https://upload.wikimedia.org/wikipedia/commons/archive/a/ab/20200101!Plastic_bottle.jpg",
    "https://commons.wikimedia.org/wiki/Plastic_bottle.jpg",
    "https://commons.wikimedia.org/wiki/File:",
    "https://commons.wikimedia.org/wiki/File:%FF.jpg",
    "https://commons.wikimedia.org/wiki/File:a%0Ab.jpg",
    "https://commons.wikimedia.org/wiki/File:..%2Fpasswd.jpg",
    "https://commons.wikimedia.org@evil.example/wiki/File:A.jpg",
    "https://user:pass@commons.wikimedia.org/wiki/File:A.jpg",
    "https://commons.wikimedia.org.evil.example/wiki/File:A.jpg",
    "http://[commons.wikimedia.org/wiki/File:A.jpg",
    "ftp://commons.wikimedia.org/wiki/File:A.jpg",
    "https://commons.wikimedia.org/wiki/File:" + "a" * 300 + ".jpg",
]

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@pytest.mark.parametrize("url", SAME)
def test_every_form_of_one_commons_file_gives_one_url_and_one_key(url: str) -> None:
    assert canonical_url(url) == FORM
    assert source_key(url) == FORM


@pytest.mark.parametrize("url", OTHER)
def test_what_is_no_commons_file_is_left_as_it_is(url: str) -> None:
    assert commons_file_name(url) is None
    assert canonical_url(url) == url


def test_a_thumbnail_of_a_drawing_stays_since_its_original_is_no_picture() -> None:
    thumb = "https://upload.wikimedia.org/wikipedia/commons/thumb/a/ab/Can.svg/800px-Can.svg.png"
    assert canonical_url(thumb) == thumb
    assert source_key(thumb) == source_key("https://commons.wikimedia.org/wiki/File:Can.svg")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://Example.org:80/a%2Db.jpg#top", "https://example.org/a-b.jpg"),
        ("./images//a.png", "images/a.png"),
        ("file:///srv/a%20b.png", "file://localhost/srv/a b.png"),
    ],
)
def test_urls_that_differ_in_spelling_only_have_one_key(one: str, other: str) -> None:
    assert source_key(one) == source_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.org/a.jpg?id=1", "https://example.org/a.jpg?id=2"),
        ("https://example.org:8080/a.jpg", "https://example.org/a.jpg"),
        ("images/a.png", "images/A.png"),
        ("https://commons.wikimedia.org/wiki/File:A.jpg", "https://commons.wikimedia.org/wiki/File:A.png"),
    ],
)
def test_different_sources_have_different_keys(one: str, other: str) -> None:
    assert source_key(one) != source_key(other)


def test_no_url_has_no_key() -> None:
    assert source_key("") == source_key("  ") == ""


@given(st.one_of(st.text(), names.map(lambda name: FILE_PATH + name), st.sampled_from(SAME + OTHER)))
def test_normalising_twice_changes_nothing_more_and_keeps_the_key(url: str) -> None:
    once = canonical_url(url)
    assert canonical_url(once) == once
    assert source_key(once) == source_key(url)


@given(names)
def test_a_file_name_survives_its_url_in_every_form(name: str) -> None:
    clean = normalized_file_name(name + ".jpg")
    if clean is None:
        return
    assert commons_file_name(file_url(clean)) == clean
    page = quote(clean.replace(" ", "_"))
    assert commons_file_name(f"https://commons.wikimedia.org/wiki/File:{page}") == clean
    assert commons_file_name(f"https://upload.wikimedia.org/wikipedia/commons/a/ab/{page}") == clean


def test_real_urls_are_in_form_but_for_two_quoted_brackets(real: Path) -> None:
    with (real / "repath-mobile/benchmark-labeled.csv").open(encoding="utf-8") as stream:
        urls = [row["url"] for row in csv.DictReader(stream)]
    changed = [url for url in urls if canonical_url(url) != url]
    assert changed == [FILE_PATH + "Box%20of%20Cereal%20%282760590601%29.jpg"]
    assert len({source_key(url) for url in urls}) == len(urls)
