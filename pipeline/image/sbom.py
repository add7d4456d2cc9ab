"""The image's bill of materials, as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pipeline import __version__
from pipeline.support.errors import MissingExtraError

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

FORMAT = "CycloneDX 1.6"


def bill_of_materials(
    contents: Mapping[str, Any], *, name: str, version: str, digest: str, created: datetime
) -> dict[str, Any]:
    """Return the document; the same image gives the same bytes.

    Args:
        contents: as `pipeline.image.contents.contents` gives it.
        name: of the image, without its tag.
        version: its version.
        digest: its id, ``sha256:…``.
        created: when it was made; the time of the document, too.

    Raises:
        MissingExtraError: cyclonedx-python-lib is not installed.
    """
    if find_spec("cyclonedx") is None:
        raise MissingExtraError("cyclonedx-python-lib", "image", why="A bill of materials")
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    hexadecimal = digest.removeprefix("sha256:")
    image = Component(
        type=ComponentType.CONTAINER,
        name=name,
        version=version,
        bom_ref=f"image:{name}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hexadecimal)],
    )
    tool = Component(
        type=ComponentType.APPLICATION, name="repath", version=__version__, bom_ref="tool:repath"
    )
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest),
        metadata=BomMetaData(component=image, timestamp=created, tools=ToolRepository(components=[tool])),
        components=[
            *(_python(row) for row in contents["python"]),
            *(_debian(row, contents.get("system") or {}) for row in contents["debian"]),
        ],
    )
    bom.register_dependency(image, bom.components)
    document: dict[str, Any] = json.loads(JsonV1Dot6(bom).output_as_string())
    return document


def _python(row: Mapping[str, str | None]) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    name, version = str(row["name"]), str(row["version"])
    purl = PackageURL("pypi", None, name.lower().replace("_", "-"), version)
    told = row.get("license")
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        purl=purl,
        bom_ref=str(purl),
        licenses=[LicenseFactory().make_from_string(told)] if told else [],
    )


def _debian(row: Mapping[str, str], system: Mapping[str, str]) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    vendor = system.get("id", "debian")
    marks = {"arch": row["architecture"]}
    if "version_id" in system:
        marks["distro"] = f"{vendor}-{system['version_id']}"
    purl = PackageURL("deb", vendor, row["name"], row["version"], qualifiers=marks)
    return Component(
        type=ComponentType.LIBRARY,
        name=row["name"],
        version=row["version"],
        purl=purl,
        bom_ref=str(purl),
    )
