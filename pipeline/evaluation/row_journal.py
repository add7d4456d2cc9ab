"""The finished rows of a run that is not over: an interrupted benchmark goes on behind the last of them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from pipeline.contracts.results import ResultRow
from pipeline.support.files import output_error


@dataclass(slots=True)
class RowJournal:
    """A file of JSON lines: the key of the run, then one line for each finished picture.

    Pictures that could not be read are not noted: they are tried again.
    """

    path: Path
    key: str
    """Digest of everything that the rows depend on: another key starts anew."""
    done: dict[int, ResultRow] = field(default_factory=dict)
    """Finished items by their position in the run."""
    _stream: IO[str] | None = None

    def resume(self) -> None:
        """Read what an interrupted run of the same key left; a torn last line is dropped."""
        try:
            lines = self.path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError):
            return
        if not lines or _parsed(lines[0]).get("key") != self.key:
            return
        for line in lines[1:]:
            entry = _parsed(line)
            row = _row(entry)
            if row is not None and isinstance(entry.get("item"), int):
                self.done[entry["item"]] = row

    @contextlib.contextmanager
    def open(self) -> Iterator[RowJournal]:
        """Write anew what is done already, and stay open for more.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("w", encoding="utf-8") as stream:
                self._stream = stream
                stream.write(json.dumps({"key": self.key}) + "\n")
                for item, row in sorted(self.done.items()):
                    self._write(item, row)
                stream.flush()
                yield self
        except OSError as error:
            # What holds rows serves a later `resume`; an empty file serves nobody.
            with contextlib.suppress(OSError):
                if self.path.stat().st_size == 0:
                    self.path.unlink()
            raise output_error(self.path, error) from error
        finally:
            self._stream = None

    def add(self, item: int, row: ResultRow) -> None:
        """Note a finished picture at once, so that not more than it is lost.

        Raises:
            OSError: the disk is full; `open` turns it into an `OutputError`.
        """
        self._write(item, row)
        if self._stream is not None:
            self._stream.flush()

    def _write(self, item: int, row: ResultRow) -> None:
        if self._stream is not None:
            entry = {"item": item, "row": row.to_data()}
            self._stream.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _parsed(line: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _row(entry: dict[str, Any]) -> ResultRow | None:
    try:
        return ResultRow.model_validate(entry.get("row"))
    except ValidationError:
        return None
