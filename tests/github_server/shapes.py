"""What GitHub tells of users and repositories: much that nobody here uses, and its description asks for."""

from __future__ import annotations

from typing import Any

WHEN = "2026-01-02T03:04:05Z"
_USER_LINKS = (
    "followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events",
    "received_events",
)  # fmt: skip
_REPO_LINKS = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare",
    "contents", "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs",
    "git_tags", "hooks", "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges",
    "milestones", "notifications", "pulls", "releases", "stargazers", "statuses", "subscribers",
    "subscription", "tags", "teams", "trees", "clone", "git", "ssh", "svn",
)  # fmt: skip
_COUNTS = (
    "forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers",
    "watchers_count", "network_count", "subscribers_count",
)  # fmt: skip
PRIVATE = {
    **dict.fromkeys(("name", "company", "location", "email", "hireable", "bio"), None),
    **dict.fromkeys(
        (
            "public_repos", "public_gists", "followers", "following", "private_gists", "total_private_repos",
            "owned_private_repos", "disk_usage", "collaborators",
        ),
        0,
    ),
    "blog": "",
    "created_at": WHEN,
    "updated_at": WHEN,
    "two_factor_authentication": True,
    "user_view_type": "private",
}  # fmt: skip


def user(login: str) -> dict[str, Any]:
    here = f"https://api.example.org/users/{login}"
    return {
        "login": login,
        "id": 1,
        "node_id": "U_1",
        "avatar_url": f"{here}/avatar",
        "gravatar_id": "",
        "url": here,
        "html_url": here,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
        **{f"{name}_url": f"{here}/{name}" for name in _USER_LINKS},
    }


def repository(full_name: str, *, default_branch: str, url: str, fork: bool = False) -> dict[str, Any]:
    owner, _, name = full_name.partition("/")
    here = f"{url}/repos/{full_name}"
    return {
        "id": 7 if not fork else 8,
        "node_id": "R_7",
        "name": name,
        "full_name": full_name,
        "owner": user(owner),
        "private": False,
        "html_url": f"{url}/{full_name}",
        "description": None,
        "fork": fork,
        "url": here,
        **{f"{link}_url": f"{here}/{link}" for link in _REPO_LINKS},
        **dict.fromkeys(_COUNTS, 0),
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": default_branch,
        **{
            f"has_{what}": False
            for what in ("issues", "projects", "wiki", "pages", "discussions", "downloads")
        },
        "archived": False,
        "disabled": False,
        "pushed_at": WHEN,
        "created_at": WHEN,
        "updated_at": WHEN,
    }


def person() -> dict[str, str]:
    return {"name": "Somebody", "email": "somebody@example.org", "date": WHEN}
