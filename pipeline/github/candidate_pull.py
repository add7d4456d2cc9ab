"""The pull request that takes a candidate over: one branch and one file, however often it is run."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.contracts.comparison import Comparison
from pipeline.contracts.pointer import CandidatePointer
from pipeline.evaluation.markdown import comparison_markdown, escaped
from pipeline.github.branches import Branches, OneFileChange
from pipeline.github.client import GitHubClient
from pipeline.github.comment import MAX_BODY
from pipeline.github.pulls import ApiPullRequest, PullRequests, WantedPull, says
from pipeline.github.repository import is_ref_name
from pipeline.support.documents import json_bytes
from pipeline.support.errors import RemoteError, UsageError

BRANCH = "repath/candidate"


@dataclass(frozen=True, slots=True)
class CandidatePull:
    """The one pull request, and what was done."""

    action: str
    """``created``, ``updated``, ``unchanged``, ``in base`` where the base has this file, or what would be."""
    branch: str
    base: str
    head_sha: str | None
    number: int | None = None
    url: str | None = None


def open_candidate_pull(
    client: GitHubClient,
    repository: str,
    pointer: CandidatePointer,
    *,
    path: str,
    base: str | None = None,
    branch: str = BRANCH,
    comparison: Comparison | None = None,
    dry_run: bool = False,
) -> CandidatePull:
    """Have one open pull request that changes the pointer's file, and nothing else.

    Args:
        client: with a token that may write contents and pull requests.
        repository: ``owner/name``.
        pointer: what the file is to say.
        path: where the file lies in the repository.
        base: the branch to merge into; otherwise the default branch.
        branch: the branch of the pull request; it is made, or moved to the base and one commit.
        comparison: shown in the text of the pull request.
        dry_run: look only.

    Raises:
        UsageError: a name is none, or the branch is its own base.
        ReleaseError: the branch holds changes of other files.
        RemoteError: GitHub refuses or does not answer; the same call goes on later.
    """
    _check_names(path, branch, base)
    branches = Branches(client, repository)
    base = base or branches.default()
    if base == branch:
        raise UsageError(f"the branch {branch} cannot be its own base")
    base_head = branches.head(base)
    if base_head is None:
        raise RemoteError(f"{repository} has no branch {base}", hint="Name another one with --base.")
    content = json_bytes(pointer)
    if branches.file(path, commit=base_head) == content:
        return CandidatePull("in base", branch, base, None)
    pulls = PullRequests(client, repository)
    change = OneFileChange(base, branch, path, content, f"Take over candidate {pointer.run_id}")
    wanted = WantedPull(branch, base, title_of(pointer), body_of(pointer, path, comparison))
    if dry_run:
        return _planned(branches, pulls.of_head(repository, branch), change, wanted, base_head)
    head, moved = branches.set_one_file(change, base_head=base_head)
    pull, action = pulls.keep_one(wanted)
    if moved and action == "unchanged":
        action = "updated"
    return CandidatePull(action, branch, base, head, pull.number, pull.html_url)


def title_of(pointer: CandidatePointer) -> str:
    """Return the pull request's title: run and verdict, which is one of four words."""
    verdict = pointer.verdict.verdict if pointer.verdict is not None else None
    return f"Candidate {pointer.run_id}" + (f": {verdict}" if verdict else "")


def body_of(pointer: CandidatePointer, path: str, comparison: Comparison | None) -> str:
    """Return the pull request's text, in which nothing that a file says is markup."""
    lines = []
    if comparison is not None:
        lines.append(comparison_markdown(comparison, limit=MAX_BODY - 8000))
    elif pointer.verdict is not None:
        lines += [escaped(pointer.verdict.sentence, limit=2000), ""]
        if pointer.verdict.gate_passed is not None:
            lines += ["**Gate: passed.**" if pointer.verdict.gate_passed else "**Gate: no.**", ""]
    about = f"`{path}` comes to name the pre-release `{pointer.tag}`, whose files are held to these digests. "
    lines += [
        about + "Merge it to make this the candidate of the next release.",
        "",
        "| file | bytes | SHA-256 |",
        "| --- | ---: | --- |",
        *(f"| {escaped(item.filename)} | {item.bytes:,} | `{item.sha256}` |" for item in pointer.all_files()),
    ]
    return "\n".join(lines).strip()


def _planned(
    branches: Branches,
    found: list[ApiPullRequest],
    change: OneFileChange,
    wanted: WantedPull,
    base_head: str,
) -> CandidatePull:
    if not found:
        return CandidatePull("would be created", change.branch, change.base, None)
    pull = found[0]
    done = says(pull, wanted) and branches.is_done(change, pull.head.sha, base_head)
    action = "unchanged" if done else "would be updated"
    return CandidatePull(action, change.branch, change.base, pull.head.sha, pull.number, pull.html_url)


def _check_names(path: str, branch: str, base: str | None) -> None:
    parts = path.split("/")
    plain = path.isascii() and path.isprintable() and not {"\\", "`", "|"} & set(path)
    if not plain or any(part in {"", ".", "..", ".git"} for part in parts) or len(path) > 255:
        raise UsageError(f"{path[:80]!r} is not the path of a file in a repository")
    for name in (branch, base):
        if name is not None and not is_ref_name(name):
            raise UsageError(f"{name[:80]!r} is not the name of a branch")
