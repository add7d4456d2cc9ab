"""A municipality's pack: the household items it knows and what to do with each (input only)."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.contracts.base import Contract, Line, Name


class OptionCard(Contract):
    """One way to be rid of an item; the lowest ``priority`` is the municipality's first advice."""

    id: Name
    kind: Name
    title: Line = ""
    priority: int | float | None = None


class PackItem(Contract):
    """A household item under the name that the municipality uses."""

    id: Name
    name: Name
    keywords: list[str] = Field(default_factory=list)
    option_cards: list[OptionCard]


class Pack(Contract):
    """Source: repath-core's ``pack.schema.json``. A pack that only ``extends`` others has no items."""

    pack_id: Name
    pack_version: Name
    retrieved_at: Line
    municipality: dict[str, object] | None = None
    jurisdiction: dict[str, object] | None = None
    extends: list[str] = Field(default_factory=list)
    items: list[PackItem] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_a_place(self) -> Pack:
        if self.municipality is None and self.jurisdiction is None:
            raise ValueError("needs either municipality or jurisdiction")
        return self
