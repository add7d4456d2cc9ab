"""Provenance of a release: what was built, of what, by which run of which workflow.

An in-toto statement with a SLSA provenance predicate, of the build type for runs of GitHub Actions. Sources:
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance,
https://slsa-framework.github.io/github-actions-buildtypes/workflow/v1
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints

from pipeline.contracts.base import Contract, Line, parse
from pipeline.contracts.dataset import DataRecord
from pipeline.contracts.release import SUMS_NAME
from pipeline.github.context import Ref, Repository, Sha
from pipeline.release.verify import VerifiedRelease
from pipeline.support.errors import UsageError
from pipeline.support.files import sha256_file

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://actions.github.io/buildtypes/workflow/v1"
_BUILDERS = "https://github.com/actions/runner"
_NAMES = (
    "SERVER_URL", "REPOSITORY", "REPOSITORY_ID", "REPOSITORY_OWNER_ID", "REF", "SHA", "WORKFLOW_REF",
    "RUN_ID", "RUN_ATTEMPT", "EVENT_NAME",
)  # fmt: skip

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
WorkflowRef = Annotated[str, StringConstraints(pattern=r"^[^@\x00-\x20]+@[^\x00-\x20]+$")]
ServerUrl = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?$")]


class WorkflowRun(Contract):
    """The run that builds, as GitHub Actions tells it in its environment."""

    server_url: ServerUrl
    repository: Repository
    repository_id: Line
    repository_owner_id: Line
    ref: Ref
    sha: Sha
    workflow_ref: WorkflowRef
    """``owner/name/.github/workflows/release.yml@refs/tags/v1.0.0``"""
    run_id: Digits
    run_attempt: Digits
    event_name: Line
    runner_environment: Line
    """``github-hosted`` or ``self-hosted``."""

    @property
    def url(self) -> str:
        """The address of the repository."""
        return f"{self.server_url}/{self.repository}"


def workflow_run(environ: Mapping[str, str]) -> WorkflowRun:
    """Read which run this is.

    Raises:
        UsageError: this is no run of a workflow.
        ContractError: the environment says something else than GitHub Actions would.
    """
    missing = [name for name in ("GITHUB_RUN_ID", "GITHUB_WORKFLOW_REF") if not environ.get(name)]
    if missing:
        raise UsageError(
            f"this is no run of a workflow: {' and '.join(missing)} not set",
            hint="Provenance tells which run built a release; only a run can write it.",
        )
    data = {name.lower(): environ.get(f"GITHUB_{name}", "") for name in _NAMES}
    data["runner_environment"] = environ.get("RUNNER_ENVIRONMENT", "")
    return parse(WorkflowRun, data, source="the environment of the workflow")


def provenance_statement(
    verified: VerifiedRelease,
    run: WorkflowRun,
    *,
    materials: Sequence[Path] = (),
    data: DataRecord | None = None,
) -> dict[str, Any]:
    """Return the statement about a bundle.

    Args:
        verified: the bundle; every file of it is a subject.
        run: the run that built it.
        materials: files that it was made of or judged by, such as the candidate's metadata and the results.
        data: where the data came from that it was measured or trained on.

    Raises:
        InputError: a material cannot be read.
    """
    manifest = f"release-manifest-{verified.manifest.tag}.json"
    subjects = [_descriptor(item.filename, sha256=item.sha256) for item in verified.manifest.artifacts]
    subjects += [
        _descriptor(name, sha256=sha256_file(verified.directory / name)) for name in (manifest, SUMS_NAME)
    ]
    source = {"uri": f"git+{run.url}@{run.ref}", "digest": {"gitCommit": run.sha}}
    dependencies = [source, *(_descriptor(path.name, sha256=sha256_file(path)) for path in materials)]
    if data is not None:
        dependencies += _data_sources(data, run.server_url)
    return {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {"buildDefinition": _definition(run, dependencies), "runDetails": _details(run)},
    }


def _definition(run: WorkflowRun, dependencies: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    workflow, _, ref = run.workflow_ref.partition("@")
    path = workflow.removeprefix(f"{run.repository}/")
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {"workflow": {"ref": ref, "repository": run.url, "path": path}},
        "internalParameters": {
            "github": {
                "event_name": run.event_name,
                "repository_id": run.repository_id,
                "repository_owner_id": run.repository_owner_id,
                "runner_environment": run.runner_environment,
            }
        },
        "resolvedDependencies": list(dependencies),
    }


def _details(run: WorkflowRun) -> dict[str, Any]:
    kind = run.runner_environment or "self-hosted"
    invocation = f"{run.url}/actions/runs/{run.run_id}/attempts/{run.run_attempt}"
    return {"builder": {"id": f"{_BUILDERS}/{kind}"}, "metadata": {"invocationId": invocation}}


def _data_sources(data: DataRecord, server_url: str) -> Iterator[dict[str, Any]]:
    for source in data.sources:
        if source.commit is not None:
            at = f"@{source.ref}" if source.ref else ""
            uri = f"git+{server_url}/{source.repository}{at}"
            yield {"name": source.reference, "uri": uri, "digest": {"gitCommit": source.commit}}
        elif source.sha256 is not None:
            yield _descriptor(source.reference, sha256=source.sha256)


def _descriptor(name: str, *, sha256: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}}
