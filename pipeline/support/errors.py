"""The one error root, and a class for each kind of failure that a user can meet.

Every message says what was wrong, where (file, row, field) and what to do about it. `pipeline.cli.main`
is the only place that turns these into an exit code and a line on stderr; library code never prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where it stands, and what is wrong with it."""

    where: str
    """Row and field in words, such as ``images[3] (todo_foil).status`` or ``line 12, column url``."""
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class RepathError(Exception):
    """Root of every failure that repath explains to its user; exit code 1 unless a class says otherwise."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows instead of a traceback: the message explains itself."""
        return [f"{type(self).__name__}: {self}"]


class InputError(RepathError):
    """A file that was given cannot be used: missing, unreadable, not what it claims to be."""


class ContractError(InputError):
    """A file breaks its contract. Carries every fault found, not only the first."""

    shown = 10

    def __init__(self, source: str, faults: Sequence[Fault], *, hint: str | None = None) -> None:
        self.source = source
        self.faults = tuple(faults)
        lines = [f"  {fault}" for fault in self.faults[: self.shown]]
        rest = len(self.faults) - self.shown
        if rest > 0:
            lines.append(f"  … and {rest} more")
        count = "one fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n".join([f"{source}: {count}", *lines]), hint=hint)


class PathEscapeError(InputError):
    """A path inside a file points out of the workspace."""


class ImageError(InputError):
    """A picture that cannot be decoded, is empty, or is larger than the pixel limit."""


class UnknownLabelError(InputError):
    """A label that the taxonomy does not have; the message names the nearest ones."""


class OutputError(RepathError):
    """An output could not be written (no space, no permission); what stood there before still stands."""


class DownloadError(RepathError):
    """A remote file could not be fetched within the limits set for it."""


class RemoteError(RepathError):
    """A service such as GitHub refused, or did not answer as it should."""


class RemoteMissingError(RemoteError):
    """The service has no such thing, or does not show it to this token."""


class RemoteForbiddenError(RemoteError):
    """The service knows who asks, and does not allow it."""


class RemoteExistsError(RemoteError):
    """The service says that there is such a thing already."""


class RemoteInvalidError(RemoteError):
    """The service refuses what was asked for as not valid."""


class RemoteUnsureError(RemoteError):
    """The answer was lost: what was asked for may or may not have been done. Look before asking again."""


class MissingExtraError(RepathError):
    """A library that comes with an optional extra is needed and not installed."""

    def __init__(self, library: str, extra: str, *, why: str) -> None:
        super().__init__(
            f"{why} needs {library}, which is not installed",
            hint=f"Install it with: pip install 'repath-model[{extra}]'",
        )


class ModelError(InputError):
    """A model or labels file that the detector or the app cannot use."""


class ExportError(RepathError):
    """An export failed, or the exported file does not agree with the model it came from."""


class TrainingError(RepathError):
    """Training could not start or did not finish."""


class ReleaseError(RepathError):
    """A release bundle is not what its manifest says, or may not be built from these files."""


class DigestMismatchError(RepathError):
    """A file is not the one that was measured, promoted or listed."""


class WorkspaceError(RepathError):
    """The workspace or its repath.toml cannot be used."""


class EngineError(RepathError):
    """The container engine cannot be reached, refuses, or does not do what it was asked for."""


class BuildError(EngineError):
    """The image could not be built; the message names the step that failed."""


class SelfTestError(RepathError):
    """Something that was asked for is missing or does not work; the report says what."""


class UsageError(RepathError):
    """Flags that contradict each other or lack a partner; exit code 2 as for any wrong usage."""

    exit_code = 2


class IssuesFoundError(RepathError):
    """A validation under ``--strict`` found issues; exit code 2, as the playbook has it."""

    exit_code = 2


class GateError(RepathError):
    """The gate says no: a floor, a margin or a minimum is not met; exit code 3."""

    exit_code = 3
