"""Releases and their assets: drafts, uploads that break off, downloads from another host."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from github_server.core import API, UPLOADS, Core, Reply, Request, Route, State
from github_server.shapes import WHEN, user


class Releases(Core):
    def of_tag(self, tag: str) -> list[dict[str, Any]]:
        return [release for release in self.releases.values() if release["tag_name"] == tag]

    def files(self, release: dict[str, Any]) -> dict[str, bytes]:
        return {asset["name"]: self.blobs[asset["id"]] for asset in release["assets"]}

    def routes(self, seen: State) -> dict[str, Route]:
        releases = seen.releases

        def visible(request: Request) -> dict[int, dict[str, Any]]:
            authorised = "authorization" in request.headers
            return {key: item for key, item in releases.items() if authorised or not item["draft"]}

        def one(request: Request, number: str) -> Reply:
            found = visible(request).get(int(number)) or self.releases.get(int(number))
            return (200, {}, self._shown(found)) if found else self.not_found()

        def tagged(request: Request, tag: str) -> Reply:
            found = [r for r in releases.values() if r["tag_name"] == tag and not r["draft"]]
            return (200, {}, self._shown(found[0])) if found else self.not_found()

        def latest(request: Request) -> Reply:
            found = [r for r in releases.values() if r.get("latest") and not r["draft"]]
            return (200, {}, self._shown(found[-1])) if found else self.not_found()

        def listed(request: Request) -> Reply:
            rows = visible(request)
            return self.page(request, [self._shown(rows[key]) for key in sorted(rows, reverse=True)])

        return {
            **super().routes(seen),
            r"GET releases": listed,
            r"POST releases": self._create,
            r"GET releases/latest": latest,
            r"GET releases/tags/(.+)": tagged,
            r"GET releases/(\d+)": one,
            r"PATCH releases/(\d+)": self._change,
            r"DELETE releases/(\d+)": self._delete_release,
            r"POST releases/(\d+)/assets": lambda q, n: self._uploaded(q, int(n)),
            r"GET releases/assets/(\d+)": lambda q, n: self._asset(q, int(n)),
            r"DELETE releases/assets/(\d+)": lambda q, n: self._delete_asset(int(n)),
        }

    def take_part(self, request: Request) -> None:
        """Leave what a broken upload leaves: an asset that is not whole, and whose name is taken."""
        match = re.fullmatch(rf"{UPLOADS}/repos/{self.repo}/releases/(\d+)/assets", request.path)
        if match and int(match[1]) in self.releases:
            half = request.body[: len(request.body) // 2]
            self._upload(request, self.releases[int(match[1])], state="starter", body=half)
        super().take_part(request)

    def _create(self, request: Request) -> Reply:
        given = request.json
        release_id = self.new_id()
        self.releases[release_id] = {
            "id": release_id,
            "tag_name": given["tag_name"],
            "name": given.get("name"),
            "body": given.get("body"),
            "draft": given.get("draft", False),
            "prerelease": given.get("prerelease", False),
            "assets": [],
            "target_commitish": given.get("target_commitish", self.default_branch),
            "latest": False,
        }
        return 201, {}, self._shown(self.releases[release_id])

    def _change(self, request: Request, number: str) -> Reply:
        release, given = self.releases.get(int(number)), request.json
        if release is None:
            return self.not_found()
        changed = {
            **release,
            **{key: given[key] for key in ("draft", "prerelease", "name", "body") if key in given},
        }
        if not release["draft"] and changed != release:
            self.violations.append(f"a published release was altered: {given}")
        if release["draft"] and not changed["draft"]:
            if any(not other["draft"] for other in self.of_tag(release["tag_name"])):
                return self.taken("Release", "tag_name")
            if self.expected is not None and self.files(release) != self.expected:
                self.violations.append("published with a missing or wrong file")
            if any(asset["state"] != "uploaded" for asset in release["assets"]):
                self.violations.append("published with a file that is not whole")
        release.update(changed)
        if given.get("make_latest") == "true":
            if release["prerelease"]:
                self.violations.append("a pre-release became the latest")
            for other in self.releases.values():
                other["latest"] = other is release
        return 200, {}, self._shown(release)

    def _delete_release(self, request: Request, number: str) -> Reply:
        release = self.releases.pop(int(number), None)
        if release is None:
            return self.not_found()
        if not release["draft"]:
            self.violations.append("a published release was deleted")
        return 204, {}, None

    def _uploaded(self, request: Request, number: int) -> Reply:
        release = self.releases.get(number)
        if release is None or not request.path.startswith(UPLOADS):
            return self.not_found()
        if not release["draft"]:
            self.violations.append("a file was added to a published release")
        if int(request.headers.get("content-length", "-1")) < 1:
            return 400, {}, self.error("Bad Content-Length")
        if any(asset["name"] == request.query["name"][0] for asset in release["assets"]):
            return self.taken("ReleaseAsset", "name")
        return (
            201,
            {},
            self._shown_asset(release, self._upload(request, release, state="uploaded", body=request.body)),
        )

    def _upload(
        self, request: Request, release: dict[str, Any], *, state: str, body: bytes
    ) -> dict[str, Any]:
        name = request.query["name"][0]
        for asset in release["assets"]:
            if asset["name"] == name:
                return asset
        asset = {
            "id": self.new_id(),
            "name": name,
            "state": state,
            "type": request.headers.get("content-type", ""),
        }
        release["assets"].append(asset)
        self.blobs[asset["id"]] = body
        return asset

    def _asset(self, request: Request, number: int) -> Reply:
        for release in self.releases.values():
            for asset in release["assets"]:
                if asset["id"] == number:
                    if "octet-stream" in request.headers.get("accept", ""):
                        return (
                            302,
                            {"Location": f"{self.storage_url}/blob/{number}?signature=storage-secret"},
                            None,
                        )
                    return 200, {}, self._shown_asset(release, asset)
        return self.not_found()

    def _delete_asset(self, number: int) -> Reply:
        for release in self.releases.values():
            for asset in release["assets"]:
                if asset["id"] == number:
                    if not release["draft"]:
                        self.violations.append("a file of a published release was deleted")
                    release["assets"] = [item for item in release["assets"] if item["id"] != number]
                    return 204, {}, None
        return self.not_found()

    def _shown(self, release: dict[str, Any]) -> dict[str, Any]:
        here = f"{self.url}{API}/repos/{self.repo}/releases/{release['id']}"
        return {
            "url": here,
            "assets_url": f"{here}/assets",
            "id": release["id"],
            "node_id": "RE_1",
            "upload_url": f"{here.replace(API, UPLOADS)}/assets{{?name,label}}",
            "html_url": f"{self.url}/{self.repo}/releases/{release['id']}",
            "tarball_url": None,
            "zipball_url": None,
            "tag_name": release["tag_name"],
            "target_commitish": release["target_commitish"],
            "name": release["name"],
            "body": release["body"],
            "draft": release["draft"],
            "prerelease": release["prerelease"],
            "created_at": WHEN,
            "immutable": False,
            "published_at": None if release["draft"] else WHEN,
            "author": user(self.login),
            "assets": [self._shown_asset(release, asset) for asset in release["assets"]],
        }

    def _shown_asset(self, release: dict[str, Any], asset: dict[str, Any]) -> dict[str, Any]:
        data = self.blobs[asset["id"]]
        whole = asset["state"] == "uploaded"
        return {
            "url": f"{self.url}{API}/repos/{self.repo}/releases/assets/{asset['id']}",
            "id": asset["id"],
            "browser_download_url": f"{self.url}/{self.repo}/releases/download/{release['tag_name']}/{asset['name']}",  # noqa: E501
            "node_id": "RA_1",
            "name": asset["name"],
            "label": None,
            "state": "uploaded" if whole else "open",
            "content_type": asset["type"],
            "size": len(data),
            "download_count": 0,
            "created_at": WHEN,
            "updated_at": WHEN,
            "uploader": user(self.login),
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}" if whole else None,
        }
