"""The bill of materials: valid CycloneDX, the same bytes each time, licences as they are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.image import sbom
from pipeline.image.contents import contents, distributions, system
from pipeline.support.errors import MissingExtraError

CONTENTS: dict[str, Any] = {
    "python": [
        {"name": "Torch_Thing", "version": "1.0+cu130", "license": "BSD-3-Clause"},
        {"name": "ultralytics", "version": "8.4", "license": "AGPL-3.0"},
        {"name": "odd", "version": "2", "license": "See the <script> file"},
        {"name": "silent", "version": "3", "license": None},
    ],
    "debian": [{"name": "libc6", "version": "2.36-9+deb12u14", "architecture": "amd64", "source": "glibc"}],
    "system": {"id": "debian", "version_id": "12"},
}


def _bill(**more: Any) -> dict[str, Any]:
    pytest.importorskip("cyclonedx")
    settings = {
        "name": "localhost/x",
        "version": "0.1.0",
        "digest": f"sha256:{'ab' * 32}",
        "created": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return sbom.bill_of_materials(CONTENTS, **{**settings, **more})


def test_it_is_valid_and_names_every_package_once() -> None:
    bill = _bill()
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    purls = [each["purl"] for each in bill["components"]]
    assert sorted(purls) == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12",
        "pkg:pypi/odd@2",
        "pkg:pypi/silent@3",
        "pkg:pypi/torch-thing@1.0%2Bcu130",
        "pkg:pypi/ultralytics@8.4",
    ]
    assert bill["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert bill["metadata"]["timestamp"].startswith("2026-01-01T00:00:00")
    (image,) = (each for each in bill["dependencies"] if each["ref"] == "image:localhost/x")
    assert len(image["dependsOn"]) == len(purls)


def test_it_passes_the_schema_of_cyclonedx() -> None:
    bill = _bill()
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps({**bill, "components": 1})) is not None


def test_the_same_image_gives_the_same_bytes_and_another_one_does_not() -> None:
    assert json.dumps(_bill()) == json.dumps(_bill())
    assert _bill()["serialNumber"] != _bill(digest=f"sha256:{'cd' * 32}")["serialNumber"]


def test_licences_are_told_as_they_are() -> None:
    told = {each["name"]: each.get("licenses") for each in _bill()["components"]}
    assert told["Torch_Thing"] == [{"license": {"id": "BSD-3-Clause"}}]
    assert "AGPL-3.0" in json.dumps(told["ultralytics"])
    assert told["odd"] == [{"license": {"name": "See the <script> file"}}]
    assert told["silent"] is None


def test_without_its_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sbom, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="cyclonedx") as told:
        _bill()
    assert "repath-model[image]" in str(told.value.hint)


def test_what_is_installed_here_is_listed_once_and_sorted() -> None:
    found = contents()
    names = [str(row["name"]).lower() for row in found["python"]]
    assert names == sorted(set(names))
    assert "click" in names
    assert all(row["version"] for row in distributions())
    assert all(set(row) == {"name", "version", "architecture", "source"} for row in found["debian"])


def test_a_system_that_does_not_tell_is_not_an_error(tmp_path: Path) -> None:
    assert system(tmp_path / "nothing") == {}
    (tmp_path / "os-release").write_text('ID=ubuntu\nVERSION_ID="24.04"\nnonsense\n')
    assert system(tmp_path / "os-release") == {"id": "ubuntu", "version_id": "24.04"}
