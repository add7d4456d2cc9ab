"""Comments on pull requests, which to GitHub are issues."""

from __future__ import annotations

from typing import Any

from github_server.core import Core, Reply, Request, Route, State
from github_server.shapes import WHEN, user


class Comments(Core):
    def add_comment(self, number: int, body: str, login: str) -> int:
        comment_id = self.new_id()
        self.comments[comment_id] = {"number": number, "body": body, "login": login}
        return comment_id

    def routes(self, seen: State) -> dict[str, Route]:
        return {
            **super().routes(seen),
            r"GET issues/(\d+)/comments": lambda q, n: self.page(
                q, [self._said(key, item) for key, item in seen.comments.items() if item["number"] == int(n)]
            ),
            r"POST issues/(\d+)/comments": self._comment,
            r"PATCH issues/comments/(\d+)": self._edit,
            r"DELETE issues/comments/(\d+)": self._delete_comment,
        }

    def _comment(self, request: Request, number: str) -> Reply:
        comment_id = self.add_comment(int(number), request.json["body"], self.login)
        return 201, {}, self._said(comment_id, self.comments[comment_id])

    def _edit(self, request: Request, number: str) -> Reply:
        found = self.comments.get(int(number))
        if found is None:
            return self.not_found()
        if found["login"] != self.login:
            self.violations.append("somebody else's comment was edited")
        found["body"] = request.json["body"]
        return 200, {}, self._said(int(number), found)

    def _delete_comment(self, request: Request, number: str) -> Reply:
        found = self.comments.pop(int(number), None)
        if found is not None and found["login"] != self.login:
            self.violations.append("somebody else's comment was deleted")
        return (204, {}, None) if found else self.not_found()

    def _said(self, comment_id: int, comment: dict[str, Any]) -> dict[str, Any]:
        issue = f"{self.url}/api/v3/repos/{self.repo}/issues"
        return {
            "id": comment_id,
            "node_id": "IC_1",
            "url": f"{issue}/comments/{comment_id}",
            "body": comment["body"],
            "html_url": f"{self.url}/{self.repo}/pull/{comment['number']}#issuecomment-{comment_id}",
            "issue_url": f"{issue}/{comment['number']}",
            "created_at": WHEN,
            "updated_at": WHEN,
            "user": user(comment["login"]),
            "author_association": "CONTRIBUTOR",
        }
