"""What a test in another process looks at and sets up: ``GET /_state`` and ``POST /_do``, both JSON."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

_CALLS = frozenset(
    {"add_artifact", "add_comment", "add_commit", "add_pull", "clear", "commit_files", "head", "new_round"}
)


def control(github: Any, method: str, path: str, body: bytes) -> tuple[int, dict[str, str], Any]:
    """Answer the two paths that GitHub does not have."""
    with github._lock:
        if (method, path) == ("GET", "/_state"):
            return 200, {}, state_of(github)
        if (method, path) == ("POST", "/_do"):
            return 200, {}, {"returned": _do(github, json.loads(body))}
    return 404, {}, {"message": "There is GET /_state and POST /_do"}


def state_of(github: Any) -> dict[str, Any]:
    """Return all that there is; of the files of releases their digests."""
    return {
        "repository": github.repo,
        "default_branch": github.default_branch,
        "releases": [
            {
                **{
                    key: release[key]
                    for key in ("id", "tag_name", "name", "body", "draft", "prerelease", "latest")
                },
                "target_commitish": release["target_commitish"],
                "files": {
                    name: hashlib.sha256(data).hexdigest()
                    for name, data in sorted(github.files(release).items())
                },
            }
            for release in github.releases.values()
        ],
        "comments": [{"id": key, **item} for key, item in github.comments.items()],
        "pulls": [
            {**pull, "head_sha": pull["sha"] or github.branch(pull["branch"])}
            for pull in github.state.pulls.values()
        ],
        "branches": {
            ref.removeprefix("refs/heads/"): {
                "sha": sha,
                "files": {name: data.decode(errors="replace") for name, data in github.files_of(sha).items()},
            }
            for ref, sha in github.state.refs.items()
        },
        "statuses": github.state.statuses,
        "requests": [f"{request.method} {request.path}" for request in github.requests],
        "violations": github.violations,
    }


def _do(github: Any, asked: dict[str, Any]) -> Any:
    """Call one method: ``{"call": "add_pull", "with": {"branch": "x"}}``; bytes are ``{"base64": "…"}``."""
    name = asked["call"]
    if name == "set":
        for key, value in asked["with"].items():
            setattr(github, key, value)
        return None
    if name not in _CALLS:
        raise ValueError(f"no such call: {name}")
    given = {key: _bytes(key, value) for key, value in asked.get("with", {}).items()}
    return getattr(github, name)(**given)


def _bytes(key: str, value: Any) -> Any:
    if isinstance(value, dict) and set(value) == {"base64"}:
        return base64.b64decode(value["base64"])
    if key in {"files", "changes"}:
        return {
            name: _bytes("", item) if isinstance(item, dict) else item.encode()
            for name, item in value.items()
        }
    return tuple(value) if key == "parents" else value
