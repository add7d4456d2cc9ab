"""Pull requests: of branches here and of forks; a branch has one open pull request into a base."""

from __future__ import annotations

from typing import Any

from github_server.core import Reply, Request, Route, State
from github_server.git import Git
from github_server.shapes import WHEN, repository, user

_COUNTS = ("additions", "changed_files", "comments", "commits", "deletions", "review_comments")


class Pulls(Git):
    def add_pull(
        self,
        branch: str,
        *,
        sha: str | None = None,
        head_repo: str | None = "",
        base: str = "",
        title: str = "A change",
        body: str = "",
    ) -> int:
        """Open a pull request; ``head_repo`` is a fork's name, or None for a fork that is gone."""
        number = self.new_id()
        self.state.pulls[number] = {
            "number": number,
            "title": title,
            "body": body,
            "state": "open",
            "branch": branch,
            "head_repo": self.repo if head_repo == "" else head_repo,
            "owner": (head_repo or self.repo).partition("/")[0],
            "sha": sha,
            "base": base or self.default_branch,
        }
        return number

    def open_pulls(self, branch: str) -> list[dict[str, Any]]:
        return [
            pull
            for pull in self.state.pulls.values()
            if pull["state"] == "open" and pull["branch"] == branch and pull["head_repo"] == self.repo
        ]

    def routes(self, seen: State) -> dict[str, Route]:
        return {
            **super().routes(seen),
            r"GET pulls": lambda q: self._list(q, seen),
            r"POST pulls": self._open,
            r"GET pulls/(\d+)": lambda q, n: self._one(int(n)),
            r"PATCH pulls/(\d+)": self._update,
        }

    def _list(self, request: Request, seen: State) -> Reply:
        state = request.query.get("state", ["open"])[0]
        owner, _, branch = request.query.get("head", [""])[0].partition(":")
        rows = [
            self._simple(pull)
            for _, pull in sorted(seen.pulls.items(), reverse=True)
            if state in {"all", pull["state"]}
            and (not owner or (pull["owner"].lower(), pull["branch"]) == (owner.lower(), branch))
        ]
        return self.page(request, rows)

    def _open(self, request: Request) -> Reply:
        given = request.json
        if self.branch(given["head"]) is None:
            return self.refused(
                "Validation Failed", {"resource": "PullRequest", "field": "head", "code": "invalid"}
            )
        if any(pull["base"] == given["base"] for pull in self.open_pulls(given["head"])):
            owner = self.repo.partition("/")[0]
            words = f"A pull request already exists for {owner}:{given['head']}."
            error = {"resource": "PullRequest", "code": "custom", "message": words}
            return self.refused("Validation Failed", error)
        if self.branch(given["head"]) == self.branch(given["base"]):
            words = f"No commits between {given['base']} and {given['head']}"
            error = {"resource": "PullRequest", "code": "custom", "message": words}
            return self.refused("Validation Failed", error)
        number = self.add_pull(
            given["head"], base=given["base"], title=given["title"], body=given.get("body", "")
        )
        return 201, {}, self._full(self.state.pulls[number])

    def _one(self, number: int) -> Reply:
        found = self.state.pulls.get(number)
        return (200, {}, self._full(found)) if found else self.not_found()

    def _update(self, request: Request, number: str) -> Reply:
        found = self.state.pulls.get(int(number))
        if found is None:
            return self.not_found()
        found.update(
            {key: request.json[key] for key in ("title", "body", "base", "state") if key in request.json}
        )
        return 200, {}, self._full(found)

    def _simple(self, pull: dict[str, Any]) -> dict[str, Any]:
        here = f"{self.url}/api/v3/repos/{self.repo}/pulls/{pull['number']}"
        issue = here.replace("/pulls/", "/issues/")
        page = f"{self.url}/{self.repo}/pull/{pull['number']}"
        links = (
            "comments",
            "commits",
            "statuses",
            "html",
            "issue",
            "review_comments",
            "review_comment",
            "self",
        )
        return {
            "url": here,
            "id": pull["number"],
            "node_id": "PR_1",
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "issue_url": issue,
            "commits_url": f"{here}/commits",
            "review_comments_url": f"{here}/comments",
            "review_comment_url": f"{here}/comments{{/number}}",
            "comments_url": f"{issue}/comments",
            "statuses_url": f"{here}/statuses",
            "number": pull["number"],
            "state": pull["state"],
            "locked": False,
            "title": pull["title"],
            "user": user(self.login),
            "body": pull["body"],
            "labels": [],
            **dict.fromkeys(
                ("milestone", "merge_commit_sha", "merged_at", "closed_at", "assignee", "auto_merge")
            ),
            "created_at": WHEN,
            "updated_at": WHEN,
            "head": self._head(pull),
            "base": self._base(pull),
            "_links": {link: {"href": here} for link in links},
            "author_association": "CONTRIBUTOR",
        }

    def _full(self, pull: dict[str, Any]) -> dict[str, Any]:
        return {
            **self._simple(pull),
            **dict.fromkeys(_COUNTS, 0),
            "mergeable": True,
            "mergeable_state": "clean",
            "merged": False,
            "maintainer_can_modify": False,
            "merged_by": None,
        }

    def _head(self, pull: dict[str, Any]) -> dict[str, Any]:
        name = pull["head_repo"]
        fork = name is not None and name != self.repo
        shown = (
            repository(name, default_branch="main", url=f"{self.url}/api/v3", fork=True)
            if fork
            else self.shown_repository()
        )
        sha = pull["sha"] or self.branch(pull["branch"]) or "0" * 40
        return {
            "label": f"{pull['owner']}:{pull['branch']}",
            "ref": pull["branch"],
            "sha": sha,
            "user": user(pull["owner"]),
            "repo": shown if name is not None else None,
        }

    def _base(self, pull: dict[str, Any]) -> dict[str, Any]:
        owner = self.repo.partition("/")[0]
        return {
            "label": f"{owner}:{pull['base']}",
            "ref": pull["base"],
            "sha": self.branch(pull["base"]) or self.head(),
            "user": user(owner),
            "repo": self.shown_repository(),
        }
