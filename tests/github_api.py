"""GitHub's official API description, fetched once for a test session, and bodies held to it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = "@octokit/openapi@23.0.2"
FILE = "package/generated/api.github.com.json"
_ROOT = "urn:github"


def fetch_description(folder: Path) -> tuple[dict[str, Any] | None, str]:
    """Return the description, or why there is none."""
    npm = shutil.which("npm")
    if npm is None:
        return None, "npm is not here"
    done = subprocess.run(
        [npm, "pack", PACKAGE, "--silent"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        return None, f"npm could not fetch {PACKAGE}"
    with tarfile.open(packed[0]) as archive:
        member = archive.extractfile(FILE)
        assert member is not None
        return json.load(member), ""


class Description:
    """Checks requests and answers of the operations that the description knows."""

    def __init__(self, document: dict[str, Any]) -> None:
        from openapi_schema_validator import OAS30Validator
        from referencing import Registry, Resource
        from referencing.jsonschema import DRAFT4

        self._document = document
        self._registry = Registry().with_resource(_ROOT, Resource(document, DRAFT4))
        self._validator = OAS30Validator
        self._paths = [
            (_pattern(path), path) for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]
        self._validators: dict[str, Any] = {}
        self.checked = 0

    def faults(self, method: str, path: str, status: int, request: Any, answer: Any) -> Iterator[str]:
        """Yield what is wrong with the two JSON bodies; None for one that is not JSON or not there."""
        template = next((text for pattern, text in self._paths if pattern.fullmatch(path)), None)
        operation = self._document["paths"].get(template, {}).get(method.lower()) if template else None
        if operation is None:
            yield f"GitHub has no {method} {path}"
            return
        here = f"/paths/{template.replace('~', '~0').replace('/', '~1')}/{method.lower()}"
        if request is not None:
            schema = f"{here}/requestBody/content/application~1json/schema"
            yield from self._check(schema, request, f"{method} {path}: request")
        described = operation["responses"].get(str(status))
        if described is None:
            # What every endpoint may answer, and the 422 of a tag that is taken, it leaves out.
            if status < 422:
                yield f"{method} {path} does not answer {status}"
            return
        if "$ref" in described:
            pointer = described["$ref"].removeprefix("#")
            described = self._document["components"]["responses"][pointer.rpartition("/")[2]]
        else:
            pointer = f"{here}/responses/{status}"
        if answer is not None and "application/json" in described.get("content", {}):
            schema = f"{pointer}/content/application~1json/schema"
            yield from self._check(schema, answer, f"{method} {path}: answer {status}")

    def _check(self, pointer: str, body: Any, where: str) -> Iterator[str]:
        self.checked += 1
        if pointer not in self._validators:
            schema = {"$ref": f"{_ROOT}#{pointer}"}
            self._validators[pointer] = self._validator(schema, registry=self._registry)
        for error in self._validators[pointer].iter_errors(body):
            yield f"{where}: {'/'.join(map(str, error.path))}: {error.message[:200]}"


_WITH_SLASHES = frozenset({"{ref}", "{path}", "{basehead}"})
"""Parts of a path that hold slashes of their own: branches, files."""


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(
        "".join(
            (".+" if part in _WITH_SLASHES else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", template)
        )
    )
