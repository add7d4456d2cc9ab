"""A repository of git as the API shows it: commits, trees, branches, files, comparison, tarball."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
from typing import Any

from github_server.core import Core, Reply, Request, Route, State
from github_server.shapes import person, repository, user


class Git(Core):
    def commit_files(
        self,
        files: dict[str, bytes],
        *,
        parents: tuple[str, ...] = (),
        message: str = "A commit",
        branch: str = "",
    ) -> str:
        """Make a commit of exactly these files, and point a branch to it where one is named."""
        tree = self._tree(files)
        sha = self._commit_object(message, tree, list(parents))
        if branch:
            self.state.refs[f"refs/heads/{branch}"] = sha
        return sha

    def add_commit(self, branch: str, changes: dict[str, bytes], message: str = "A change") -> str:
        """Commit on top of a branch."""
        head = self.branch(branch)
        assert head is not None
        return self.commit_files(
            {**self.files_of(head), **changes}, parents=(head,), message=message, branch=branch
        )

    def branch(self, name: str) -> str | None:
        return self.state.refs.get(f"refs/heads/{name}")

    def files_of(self, commit: str) -> dict[str, bytes]:
        return self.trees[self.commits[commit]["tree"]]

    def head(self) -> str:
        """Return the default branch's commit; the first one is made when it is asked for."""
        return self.branch(self.default_branch) or self.commit_files(
            {"README.md": b"# A model\n"}, message="First", branch=self.default_branch
        )

    def routes(self, seen: State) -> dict[str, Route]:
        self.head()
        return {
            **super().routes(seen),
            r"GET ": lambda q: (200, {}, self.shown_repository()),
            r"GET git/ref/(.+)": lambda q, name: self._ref(f"refs/{name}", seen),
            r"POST git/refs": self._create_ref,
            r"PATCH git/refs/(.+)": lambda q, name: self._move_ref(q, f"refs/{name}"),
            r"GET git/commits/([0-9a-f]+)": lambda q, sha: self._git_commit(sha),
            r"POST git/trees": self._post_tree,
            r"POST git/commits": self._post_commit,
            r"GET commits/(.+)": lambda q, ref: self._commit(ref),
            r"GET contents/(.+)": self._contents,
            r"GET compare/(.+)\.\.\.(.+)": lambda q, base, head: self._compare(base, head),
            r"GET tarball/(.+)": lambda q, ref: self._tarball(ref),
        }

    def shown_repository(self) -> dict[str, Any]:
        return repository(self.repo, default_branch=self.default_branch, url=f"{self.url}/api/v3")

    # -- objects -----------------------------------------------------------------------------------------

    def _tree(self, files: dict[str, bytes]) -> str:
        lines = [f"{name} {hashlib.sha1(data).hexdigest()}" for name, data in sorted(files.items())]
        sha = hashlib.sha1(("tree\n" + "\n".join(lines)).encode()).hexdigest()
        self.trees[sha] = dict(files)
        return sha

    def _commit_object(self, message: str, tree: str, parents: list[str]) -> str:
        # The time makes commits of the same change differ, as it does at GitHub.
        number = self.new_id()
        sha = hashlib.sha1(json.dumps([message, tree, parents, number]).encode()).hexdigest()
        self.commits[sha] = {"message": message, "tree": tree, "parents": parents}
        return sha

    def _resolve(self, ref: str) -> str | None:
        if ref in self.commits:
            return ref
        name = self.default_branch if ref == "HEAD" else ref.removeprefix("heads/").removeprefix("tags/")
        return self.branch(name) or self.state.refs.get(f"refs/tags/{name}")

    # -- answers -----------------------------------------------------------------------------------------

    def _ref(self, name: str, seen: State) -> Reply:
        sha = seen.refs.get(name)
        return (200, {}, self._shown_ref(name, sha)) if sha else self.not_found()

    def _shown_ref(self, name: str, sha: str) -> dict[str, Any]:
        here = f"{self.url}/api/v3/repos/{self.repo}/git"
        return {
            "ref": name,
            "node_id": "REF_1",
            "url": f"{here}/{name}",
            "object": {"type": "commit", "sha": sha, "url": f"{here}/commits/{sha}"},
        }

    def _create_ref(self, request: Request) -> Reply:
        given = request.json
        if given["ref"] in self.state.refs:
            return self.refused("Reference already exists")
        if given["sha"] not in self.commits:
            return self.refused("Object does not exist")
        self.state.refs[given["ref"]] = given["sha"]
        return 201, {}, self._shown_ref(given["ref"], given["sha"])

    def _move_ref(self, request: Request, name: str) -> Reply:
        given = request.json
        if name not in self.state.refs:
            return self.refused("Reference does not exist")
        if name == f"refs/heads/{self.default_branch}":
            self.violations.append("the default branch was moved")
        old, new = self.state.refs[name], given["sha"]
        if not given.get("force") and old not in self._ancestors(new):
            return self.refused("Update is not a fast forward")
        self.state.refs[name] = new
        return 200, {}, self._shown_ref(name, new)

    def _git_commit(self, sha: str) -> Reply:
        return (200, {}, self._shown_git_commit(sha)) if sha in self.commits else self.not_found()

    def _post_tree(self, request: Request) -> Reply:
        given = request.json
        files = dict(self.trees[given["base_tree"]]) if given.get("base_tree") else {}
        for entry in given["tree"]:
            files[entry["path"]] = entry["content"].encode()
        sha = self._tree(files)
        rows = [
            {"path": name, "mode": "100644", "type": "blob", "sha": hashlib.sha1(data).hexdigest()}
            for name, data in sorted(files.items())
        ]
        return 201, {}, {"sha": sha, "url": f"{self.url}/t/{sha}", "tree": rows, "truncated": False}

    def _post_commit(self, request: Request) -> Reply:
        given = request.json
        sha = self._commit_object(given["message"], given["tree"], given["parents"])
        return 201, {}, self._shown_git_commit(sha)

    def _shown_git_commit(self, sha: str) -> dict[str, Any]:
        found = self.commits[sha]
        here = f"{self.url}/api/v3/repos/{self.repo}"
        return {
            "sha": sha,
            "node_id": "C_1",
            "url": f"{here}/git/commits/{sha}",
            "html_url": f"{self.url}/{self.repo}/commit/{sha}",
            "author": person(),
            "committer": person(),
            "message": found["message"],
            "tree": {"sha": found["tree"], "url": f"{here}/git/trees/{found['tree']}"},
            "parents": [
                {"sha": parent, "url": f"{here}/commits/{parent}", "html_url": f"{self.url}/c/{parent}"}
                for parent in found["parents"]
            ],
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        }

    def _commit(self, ref: str) -> Reply:
        sha = self._resolve(ref)
        if sha is None:
            return self.refused(f"No commit found for SHA: {ref}")
        return 200, {}, self._shown_commit(sha)

    def _shown_commit(self, sha: str) -> dict[str, Any]:
        found = self.commits[sha]
        here = f"{self.url}/api/v3/repos/{self.repo}/commits/{sha}"
        return {
            "url": here,
            "sha": sha,
            "node_id": "C_1",
            "html_url": f"{self.url}/{self.repo}/commit/{sha}",
            "comments_url": f"{here}/comments",
            "commit": {
                "url": here,
                "author": person(),
                "committer": person(),
                "message": found["message"],
                "comment_count": 0,
                "tree": {"sha": found["tree"], "url": f"{here}/tree"},
            },
            "author": user("somebody"),
            "committer": user("somebody"),
            "parents": [{"sha": parent, "url": f"{here}/{parent}"} for parent in found["parents"]],
        }

    def _contents(self, request: Request, path: str) -> Reply:
        sha = self._resolve(request.query.get("ref", ["HEAD"])[0])
        data = self.files_of(sha).get(path) if sha else None
        if data is None:
            return self.not_found()
        here = f"{self.url}/api/v3/repos/{self.repo}/contents/{path}"
        digest = hashlib.sha1(data).hexdigest()
        links = {"git": here, "self": here, "html": here}
        shown = {
            "type": "file",
            "encoding": "base64",
            "size": len(data),
            "name": path.rpartition("/")[2],
            "path": path,
            "content": base64.encodebytes(data).decode(),
            "sha": digest,
            "url": here,
            "git_url": here,
            "html_url": here,
            "download_url": here,
            "_links": links,
        }
        return 200, {}, shown

    def _ancestors(self, sha: str) -> list[str]:
        found: dict[str, None] = {}
        waiting = [sha]
        while waiting:
            here = waiting.pop(0)
            if here not in found:
                found[here] = None
                waiting += self.commits[here]["parents"]
        return list(found)

    def _compare(self, base: str, head: str) -> Reply:
        shas = self._resolve(base), self._resolve(head)
        if shas[0] is None or shas[1] is None:
            return self.not_found()
        before, after = self._ancestors(shas[0]), self._ancestors(shas[1])
        merge_base = next((sha for sha in after if sha in before), None)
        if merge_base is None:
            return self.not_found()
        ahead = [sha for sha in after if sha not in before]
        behind = [sha for sha in before if sha not in after]
        was, now = self.files_of(merge_base), self.files_of(shas[1])
        changed = sorted(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))
        status = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
        here = f"{self.url}/{self.repo}/compare"
        answer = {
            **dict.fromkeys(("url", "html_url", "permalink_url", "diff_url", "patch_url"), here),
            "base_commit": self._shown_commit(shas[0]),
            "merge_base_commit": self._shown_commit(merge_base),
            "status": status,
            "ahead_by": len(ahead),
            "behind_by": len(behind),
            "total_commits": len(ahead),
            "commits": [self._shown_commit(sha) for sha in reversed(ahead)],
            "files": [_changed_file(name, here) for name in changed],
        }
        return 200, {}, answer

    def _tarball(self, ref: str) -> Reply:
        sha = self._resolve(ref)
        if sha is None:
            return self.not_found()
        name = re.sub(r"[^a-z-]", "-", self.repo)
        return self.stored(f"tarball/{sha}", tarball(f"{name}-{sha[:7]}", self.files_of(sha), sha))


def tarball(top: str, files: dict[str, bytes], sha: str) -> bytes:
    """Return what GitHub's archives are: one folder at the top, the commit in a global header."""
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": sha}
    ) as out:
        folder = tarfile.TarInfo(top)
        folder.type = tarfile.DIRTYPE
        out.addfile(folder)
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _changed_file(name: str, here: str) -> dict[str, Any]:
    return {
        "sha": "0" * 40,
        "filename": name,
        "status": "modified",
        "additions": 1,
        "deletions": 1,
        "changes": 2,
        "blob_url": here,
        "raw_url": here,
        "contents_url": here,
    }
