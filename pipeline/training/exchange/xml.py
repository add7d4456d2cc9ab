"""XML of annotation tools: what it cannot hold, and a parser for files that are not trusted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError

from pipeline.contracts.base import shown
from pipeline.support.errors import InputError
from pipeline.training.exchange.archive import Source

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold at all: https://www.w3.org/TR/xml/#charsets."""


def xml_text(value: str) -> str:
    """Return a value that XML can hold.

    Raises:
        InputError: it cannot; escaping does not help there.
    """
    bad = _NOT_XML.search(value)
    if bad:
        raise InputError(f"the name {shown(value)} holds a character that XML does not have: {bad[0]!a}")
    return value


def parse_xml(source: Source, name: str) -> Element:
    """Return the root of an XML file. A DTD is refused, and with it entities that grow or read files.

    Raises:
        InputError: it is missing, too large, no XML, or holds a DTD.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    data = source.read(name)
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except DefusedXmlException:
        raise InputError(
            f"{source.described(name)}: holds a DTD or entities, which annotation tools do not write"
        ) from None
    except (ParseError, ValueError, LookupError) as error:
        raise InputError(f"{source.described(name)}: not XML: {error}") from None
    return root
