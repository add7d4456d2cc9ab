"""A branch that holds one commit with one changed file, made through the API without a checkout.

Source: https://docs.github.com/en/rest/git
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AfterValidator

from pipeline.contracts.base import C, Contract, Line, parse
from pipeline.github.client import GitHubClient
from pipeline.github.repository import is_commit, is_ref_name, repository_path
from pipeline.support.errors import (
    ReleaseError,
    RemoteError,
    RemoteExistsError,
    RemoteInvalidError,
    RemoteMissingError,
    RemoteUnsureError,
    UsageError,
)


def _sha(text: str) -> str:
    if not is_commit(text):
        raise ValueError("is not a commit")
    return text


Sha = Annotated[str, AfterValidator(_sha)]


class ApiObject(Contract):
    """An object of git by its id."""

    sha: Sha


class ApiRef(Contract):
    """What a branch points to."""

    ref: Line
    object: ApiObject


class ApiCommit(Contract):
    """A commit with its tree and parents."""

    sha: Sha
    tree: ApiObject
    parents: list[ApiObject]


class ApiContent(Contract):
    """A file of a commit."""

    type: Line
    encoding: Line | None = None
    content: str | None = None


class ApiChangedFile(Contract):
    """A file that a comparison of commits names."""

    filename: Line


class ApiComparison(Contract):
    """What a branch adds to another; up to 300 files are listed."""

    merge_base_commit: ApiObject
    files: list[ApiChangedFile] | None = None


class ApiRepository(Contract):
    """What is used of a repository."""

    default_branch: Line


@dataclass(frozen=True, slots=True)
class OneFileChange:
    """What a branch is to be: its base, and on it one commit that sets one file."""

    base: str
    branch: str
    path: str
    content: bytes
    message: str


class Branches:
    """The branches of one repository."""

    def __init__(self, client: GitHubClient, repository: str) -> None:
        """Take a client and ``owner/name``.

        Raises:
            UsageError: it is no repository's name.
        """
        self._client = client
        self._path = repository_path(repository)

    def default(self) -> str:
        """Return the name of the repository's default branch."""
        answer = self._client.get(self._path, what="reading the repository")
        return parse(ApiRepository, answer.data, source="GitHub's answer about the repository").default_branch

    def head(self, branch: str) -> str | None:
        """Return the commit of a branch, or None where there is no such branch."""
        path = f"{self._path}/git/ref/heads/{quote(_branch(branch))}"
        try:
            data = self._client.get(path, what=f"reading the branch {branch}").data
        except RemoteMissingError:
            return None
        return parse(ApiRef, data, source="GitHub's answer about a branch").object.sha

    def file(self, path: str, *, commit: str) -> bytes | None:
        """Return a file of a commit, or None where there is none."""
        asked = f"{self._path}/contents/{quote(path)}?ref={commit}"
        try:
            data = self._client.get(asked, what=f"reading {path}").data
        except RemoteMissingError:
            return None
        found = parse(ApiContent, data, source=f"GitHub's answer about {path}")
        if found.type != "file" or found.encoding != "base64" or found.content is None:
            raise RemoteError(f"{path} is no file that can be changed there")
        try:
            return base64.b64decode(found.content)
        except binascii.Error:
            raise RemoteError(f"reading {path}: the answer is not base64") from None

    def set_one_file(self, wanted: OneFileChange, *, base_head: str) -> tuple[str, bool]:
        """Have the branch be its base and one commit that sets one file; say its head and whether it moved.

        A branch that is so already is left alone. One of an earlier candidate is moved; one that holds
        anything else is a person's, and is not touched.

        Raises:
            ReleaseError: the branch holds other changes.
            RemoteError: GitHub refuses or does not answer; the same call goes on later.
        """
        commit: str | None = None
        last: RemoteError | None = None
        for _ in self._client.patience.attempts():
            head = self.head(wanted.branch)
            if head is not None:
                if self.is_done(wanted, head, base_head):
                    return head, commit is not None
                self._require_ours(wanted, head, base_head)
            commit = commit or self._commit(wanted, base_head)
            if head is not None:
                self._move(wanted.branch, commit)
                return commit, True
            try:
                self._create(wanted.branch, commit)
            except (RemoteUnsureError, RemoteExistsError, RemoteInvalidError) as error:
                last = error  # not believed: the next look tells whether it is there, and whose it is
            else:
                return commit, True
        raise last or RemoteError(f"the branch {wanted.branch} could not be made")

    def is_done(self, wanted: OneFileChange, head: str, base_head: str) -> bool:
        """Tell whether a branch at ``head`` shows the file as it should be, and would merge into its base."""
        if head == base_head or self.file(wanted.path, commit=head) != wanted.content:
            return False
        compared = self._compared(base_head, head)
        if [item.filename for item in compared.files or []] != [wanted.path]:
            return False
        # Where the base has changed the file meanwhile, the two would conflict.
        forked = compared.merge_base_commit.sha
        return forked == base_head or self.file(wanted.path, commit=forked) == self.file(
            wanted.path, commit=base_head
        )

    def _require_ours(self, wanted: OneFileChange, head: str, base_head: str) -> None:
        compared = self._compared(base_head, head)
        others = sorted({item.filename for item in compared.files or []} - {wanted.path})
        if others:
            names = ", ".join(others[:3]) + (", …" if len(others) > 3 else "")
            raise ReleaseError(
                f"the branch {wanted.branch} holds changes of other files: {names}",
                hint="Merge or rename it, or choose another one with --branch.",
            )

    def _compared(self, base: str, head: str) -> ApiComparison:
        answer = self._client.get(f"{self._path}/compare/{base}...{head}", what="comparing the branches")
        return parse(ApiComparison, answer.data, source="GitHub's answer about two branches")

    def _commit(self, wanted: OneFileChange, parent: str) -> str:
        """Make the commit; objects of git that nothing points to do no harm, so each step may be repeated."""
        base = self._read(ApiCommit, f"{self._path}/git/commits/{parent}", "reading the base's commit")
        entry = {
            "path": wanted.path,
            "mode": "100644",
            "type": "blob",
            "content": wanted.content.decode("utf-8"),
        }
        tree = self._made(
            ApiObject,
            "trees",
            {"base_tree": base.tree.sha, "tree": [entry]},
            what="making the tree of the commit",
        )
        made = self._made(
            ApiCommit,
            "commits",
            {"message": wanted.message, "tree": tree.sha, "parents": [parent]},
            what="making the commit",
        )
        return made.sha

    def _read(self, kind: type[C], path: str, what: str) -> C:
        return parse(kind, self._client.get(path, what=what).data, source="GitHub's answer")

    def _made(self, kind: type[C], where: str, body: dict[str, Any], *, what: str) -> C:
        answer = self._client.change("POST", f"{self._path}/git/{where}", body, what=what, repeat=True)
        return parse(kind, answer.data, source="GitHub's answer")

    def _create(self, branch: str, commit: str) -> None:
        body = {"ref": f"refs/heads/{_branch(branch)}", "sha": commit}
        what = f"making the branch {branch}"
        self._client.change("POST", f"{self._path}/git/refs", body, what=what, repeat=False)

    def _move(self, branch: str, commit: str) -> None:
        path = f"{self._path}/git/refs/heads/{quote(_branch(branch))}"
        body = {"sha": commit, "force": True}
        self._client.change("PATCH", path, body, what=f"moving the branch {branch}", repeat=True)


def _branch(name: str) -> str:
    if not is_ref_name(name):
        raise UsageError(f"{name[:80]!r} is not the name of a branch")
    return name
