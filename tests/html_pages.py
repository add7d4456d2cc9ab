"""A page of ours as its tags and its text, for the tests."""

from __future__ import annotations

from html.parser import HTMLParser

ADDRESS = {"href", "src", "srcset", "action", "data", "xlink:href", "formaction", "poster", "background"}


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def addresses(self) -> list[str]:
        found = [
            value for _, attributes in self.tags for name, value in attributes.items() if name in ADDRESS
        ]
        return [value or "" for value in found]
