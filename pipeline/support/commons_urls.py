"""The many urls of one Wikimedia Commons file, brought to one form and to one key.

Forms: https://www.mediawiki.org/wiki/Help:Linking_to_files and /wiki/Manual:$wgHashedUploadDirectory. Titles:
https://www.mediawiki.org/wiki/Manual:Page_title (spaces and underscores are one, the first letter is upper
case).
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import SplitResult, parse_qs, quote, unquote, urlsplit

FILE_PATH = "https://commons.wikimedia.org/wiki/Special:FilePath/"
"""What a Commons url looks like in the files of the system in use; the quoted file name follows."""

_HOSTS = frozenset({"commons.wikimedia.org", "commons.m.wikimedia.org", "www.commons.wikimedia.org"})
_UPLOADS = "upload.wikimedia.org"
_UPLOADED = re.compile(r"/wikipedia/commons/(thumb/)?[0-9a-f]/[0-9a-f]{2}/([^/]+)(?(1)/[^/]+|)$")
_PAGE = re.compile(
    r"^(?:(?:special:(?:filepath|redirect/file)/)(?:(?:file|image):)?|(?:file|image):)(.+)$",
    re.IGNORECASE | re.DOTALL,
)
_MEDIA = re.compile(r"^/media/(?:file|image):(.+)$", re.IGNORECASE | re.DOTALL)
_SPACES = re.compile(r"[ _\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
_ILLEGAL = re.compile(r"[\x00-\x1f\x7f-\x9f#<>\[\]|{}/\ufffd\ud800-\udfff\u200e\u200f\u202a-\u202e]")
_MAX_NAME = 240  # bytes of UTF-8
_RASTER = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")
_SAFE = "!~*'()"
"""With letters, digits and ``-_.`` what JavaScript's encodeURIComponent leaves, as the real files have it."""
_PORTS = {"http": 80, "https": 443}

# Nearly every url of a real file is in form already; this tells so twenty times as fast as taking it apart.
_IN_FORM = re.compile(
    re.escape(FILE_PATH)
    + r"(?=[A-Z0-9])(?:[A-Za-z0-9.!~*'()-]++|%2C|%26|%20(?!%20))*+(?<=\.jpg|\.JPG|\.png|jpeg)"
)


def canonical_url(url: str) -> str:
    """Return the ``Special:FilePath`` url of a Commons picture; every other url as it is.

    A thumbnail of a drawing or document stays a thumbnail: its original is no picture. Applied twice it gives
    what it gives once.
    """
    if _IN_FORM.fullmatch(url):
        return url
    name = _file_name(url.strip())
    if name is None or not name.lower().endswith(_RASTER):
        return url
    return file_url(name)


def file_url(name: str) -> str:
    """Return the url of a Commons file: ``Tin can.jpg`` → ``…/Special:FilePath/Tin%20can.jpg``."""
    return FILE_PATH + quote(name, safe=_SAFE)


def commons_file_name(url: str) -> str | None:
    """Return the name, as MediaWiki has it, of the Commons file that a url means, or None."""
    return _file_name(url.strip())


def _file_name(url: str) -> str | None:
    if "wikimedia.org" not in url.lower():
        return None
    raw = _raw_name(url)
    return _decoded(raw) if raw else None


def normalized_file_name(title: str) -> str | None:
    """Return a file's name from its title (``File:tin_can.jpg`` → ``Tin can.jpg``), or None."""
    name = re.sub(r"^\s*(?:file|image):", "", title, flags=re.IGNORECASE)
    name = _SPACES.sub(" ", unicodedata.normalize("NFC", name)).strip()
    if not name or _ILLEGAL.search(name) or len(name.encode("utf-8")) > _MAX_NAME:
        return None
    first = name[0].upper()
    return first + name[1:] if len(first) == 1 else name


def source_key(url: str) -> str:
    """Return a key that is the same for all urls of one source; ``""`` for none.

    All forms of a Commons file give its `file_url`. Other web urls differ neither by http or https, nor
    by the case of the host, the default port, percent-encoding or the fragment. Local paths are compared
    without ``file://`` and ``./``.
    """
    if _IN_FORM.fullmatch(url):
        return url
    url = url.strip()
    if not url:
        return ""
    if "://" not in url and not url.lower().startswith("file:"):
        return f"path:{posixpath.normpath(url)}"
    name = _file_name(url)
    return _other_key(url) if name is None else file_url(name)


def _other_key(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return url
    scheme = parts.scheme.lower()
    if scheme == "file":
        return f"path:{posixpath.normpath(unquote(parts.path))}"
    if scheme not in _PORTS:
        return url
    at = host if port in {None, _PORTS[scheme]} else f"{host}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"web:{at}{quote(unquote(parts.path), safe='/' + _SAFE) or '/'}{query}"


def _raw_name(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in _PORTS or parts.username is not None:
        return None
    if host == _UPLOADS:
        found = _UPLOADED.match(parts.path)
        return found.group(2) if found else None
    return _page_name(parts) if host in _HOSTS else None


def _page_name(parts: SplitResult) -> str | None:
    viewed = _MEDIA.match(unquote(parts.fragment))
    if viewed:
        return quote(viewed.group(1))
    if parts.path.startswith("/wiki/"):
        return _titled(parts.path.removeprefix("/wiki/"))
    if parts.path == "/w/index.php":
        titles = parse_qs(parts.query).get("title", [""])
        name = _titled(titles[0])
        return quote(name) if name else None
    return None


def _titled(page: str) -> str | None:
    page = re.sub("%3A", ":", page, flags=re.IGNORECASE)
    found = _PAGE.match(page)
    return found.group(1) if found else None


def _decoded(raw: str) -> str | None:
    try:
        name = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        return None
    return normalized_file_name(name)
