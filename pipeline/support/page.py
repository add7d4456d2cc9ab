"""A page in one HTML file that holds all it shows, and asks nothing of any server.

The page's own style and script are named by their digests in its content security policy, which allows
nothing else but pictures in ``data:`` URIs. Jinja2 escapes whatever comes from a file. What pages share
stands in ``page_assets``: ``page.css``, ``page.js`` (filters, and what paper needs) and the macros of
``page.html``.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import TYPE_CHECKING

from pipeline import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_SHARED = "page_assets"
_TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}")
"""Embeddings, overrides and isolates of Unicode's bidirectional algorithm (UAX #9)."""


def render_page(package: str, folder: str, name: str, values: Mapping[str, object]) -> str:
    """Return a page as HTML.

    Args:
        package: the package that holds the page's own files.
        folder: their folder in it.
        name: the page: its template is ``<name>.html`` and its style, behind the shared one, ``<name>.css``.
            The template writes ``policy``, ``style`` and ``script`` where they belong.
        values: what the template shows.
    """
    from markupsafe import Markup

    style = _asset(__package__, _SHARED, "page.css") + _asset(package, folder, f"{name}.css")
    script = _asset(__package__, _SHARED, "page.js")
    policy = "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_source_of(style)}",
            f"script-src {_source_of(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    page = _environment(package, folder).get_template(f"{name}.html")
    # The two are files of this package; everything else is escaped.
    own = {"policy": policy, "style": Markup(style), "script": Markup(script), "version": __version__}  # noqa: S704
    return page.render(**own, **values)


def _environment(package: str, folder: str) -> Environment:
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), PackageLoader(__package__, _SHARED)]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_in_reading_order,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _in_reading_order(value: object) -> object:
    """Show characters that turn the direction of writing as what they are: a name may not read as another."""
    return value.translate(_TURNS) if type(value) is str else value


def _asset(package: str, folder: str, name: str) -> str:
    return (files(package) / folder / name).read_text("utf-8")


def _source_of(text: str) -> str:
    """Return how a content security policy names inline text: by its SHA-256 in base64."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
