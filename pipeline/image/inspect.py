"""What an image is made of: its size by layer, labels, digests, and the packages in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.image.engine import Engine, explained
from pipeline.image.sbom import bill_of_materials
from pipeline.support import clock
from pipeline.support.errors import EngineError

if TYPE_CHECKING:
    from docker.models.images import Image

_LABEL = "org.opencontainers.image."


def inspect_image(engine: Engine, name: str) -> dict[str, Any]:
    """Return what an image says of itself, and its layers from the base upwards.

    Raises:
        EngineError: there is no such image, or the engine refuses.
    """
    image = get_image(engine, name)
    with explained(f"{name} cannot be inspected"):
        history = image.history()
    config = image.attrs.get("Config") or {}
    return {
        "image": name,
        "image_id": image.id,
        "digests": sorted(image.attrs.get("RepoDigests") or []),
        "created": image.attrs.get("Created"),
        "platform": f"{image.attrs.get('Os')}/{image.attrs.get('Architecture')}",
        "user": config.get("User") or None,
        "entrypoint": config.get("Entrypoint"),
        "bytes": image.attrs.get("Size"),
        "layers": [_layer(entry) for entry in reversed(history) if entry.get("Size")],
        "diff_ids": list((image.attrs.get("RootFS") or {}).get("Layers") or []),
        "base_image": image.labels.get(f"{_LABEL}base.name"),
        "labels": dict(sorted(image.labels.items())),
    }


def image_sbom(engine: Engine, name: str) -> dict[str, Any]:
    """Look into an image and return its bill of materials.

    Raises:
        EngineError: there is no such image, it is not one of ours, or the engine refuses.
        MissingExtraError: cyclonedx-python-lib is not installed.
    """
    image = get_image(engine, name)
    with explained(f"{name} cannot be looked into"):
        container = engine.client.containers.create(
            name,
            ["-m", "pipeline.image.contents"],
            entrypoint="/opt/venv/bin/python",
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
        )
        try:
            container.start()
            container.wait()
            told = container.logs(stdout=True, stderr=False)
        finally:
            container.remove(force=True)
    try:
        contents = json.loads(told)
    except ValueError:
        raise EngineError(
            f"{name} does not tell what is in it", hint="Is it an image of this project?"
        ) from None
    return bill_of_materials(
        contents,
        name=_bare(name),
        version=image.labels.get(f"{_LABEL}version", "unknown"),
        digest=str(image.id),
        created=_made_at(image),
    )


def get_image(engine: Engine, name: str) -> Image:
    """Return an image of the engine's store.

    Raises:
        EngineError: there is none of that name.
    """
    from docker.errors import ImageNotFound

    with explained(f"{name} cannot be looked up"):
        try:
            return engine.client.images.get(name)
        except ImageNotFound:
            raise EngineError(
                f"{engine.kind} has no image {name!r}",
                hint="Make it with: repath image build [--cpu], or name another one (--image, [image] name).",
            ) from None


def _layer(entry: Mapping[str, Any]) -> dict[str, Any]:
    made_by = " ".join(str(entry.get("CreatedBy") or "").replace("/bin/sh -c", "").split())
    return {"bytes": entry["Size"], "made_by": made_by.removeprefix("#(nop) ")[:200]}


def _made_at(image: Image) -> datetime:
    """Return the time of the label, which is that of the source; else the time of the build."""
    for text in (image.labels.get(f"{_LABEL}created"), image.attrs.get("Created")):
        try:
            return datetime.fromisoformat(str(text)).astimezone(UTC)
        except ValueError:
            continue
    return clock.now()


def _bare(reference: str) -> str:
    head, slash, last = reference.partition("@")[0].rpartition("/")
    return f"{head}{slash}{last.split(':')[0]}"
