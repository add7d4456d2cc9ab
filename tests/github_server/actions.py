"""Statuses of commits, runs of workflows, and their artefacts."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from github_server.core import Core, Reply, Request, Route, State
from github_server.shapes import WHEN, user


class Actions(Core):
    def add_artifact(
        self, run_id: int, name: str, data: bytes, *, expired: bool = False, digest: bool = True
    ) -> int:
        """Add an artefact of a run: the bytes of its zip."""
        number = self.new_id()
        self.artifacts[number] = {
            "run": run_id,
            "name": name,
            "data": data,
            "expired": expired,
            "digest": f"sha256:{hashlib.sha256(data).hexdigest()}" if digest else None,
        }
        return number

    def statuses_of(self, sha: str) -> dict[str, dict[str, Any]]:
        """Return the newest status of each context."""
        return {item["context"]: item for item in self.state.statuses if item["sha"] == sha}

    def routes(self, seen: State) -> dict[str, Route]:
        return {
            **super().routes(seen),
            r"POST statuses/(.+)": self._set_status,
            r"GET actions/runs/(\d+)/artifacts": self._list_artifacts,
            r"GET actions/artifacts/(\d+)/zip": lambda q, n: self._zip(int(n)),
        }

    def _set_status(self, request: Request, sha: str) -> Reply:
        given = request.json
        if not re.fullmatch(r"[0-9a-f]{40}", sha):
            return self.refused(f"No commit found for SHA: {sha}")
        number = self.new_id()
        made = {
            "id": number,
            "node_id": "SC_1",
            "url": f"{self.url}/api/v3/repos/{self.repo}/statuses/{sha}",
            "avatar_url": None,
            "state": given["state"],
            "description": given.get("description"),
            "target_url": given.get("target_url"),
            "context": given.get("context", "default"),
            "created_at": WHEN,
            "updated_at": WHEN,
            "creator": user(self.login),
        }
        self.state.statuses.append({**made, "sha": sha})
        return 201, {}, made

    def _list_artifacts(self, request: Request, run: str) -> Reply:
        name = request.query.get("name", [None])[0]
        rows = [
            self._shown_artifact(number, item)
            for number, item in sorted(self.artifacts.items(), reverse=True)
            if item["run"] == int(run) and name in {None, item["name"]}
        ]
        return self.page(request, rows, "artifacts")

    def _zip(self, number: int) -> Reply:
        found = self.artifacts.get(number)
        if found is None:
            return self.not_found()
        if found["expired"]:
            return 410, {}, self.error("Artifact has expired")
        return self.stored(f"artifact/{number}.zip", found["data"])

    def _shown_artifact(self, number: int, item: dict[str, Any]) -> dict[str, Any]:
        here = f"{self.url}/api/v3/repos/{self.repo}/actions/artifacts/{number}"
        return {
            "id": number,
            "node_id": "A_1",
            "name": item["name"],
            "size_in_bytes": len(item["data"]),
            "url": here,
            "archive_download_url": f"{here}/zip",
            "expired": item["expired"],
            "created_at": WHEN,
            "expires_at": WHEN,
            "updated_at": WHEN,
            "digest": item["digest"],
        }
