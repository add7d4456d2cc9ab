"""Contracts from and to files: JSON, CSV and YAML, with every fault named by file, row and field."""

from __future__ import annotations

import contextlib
import csv
import gc
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from pipeline.contracts.base import Contract, faults_of, is_all_text, parse, shown
from pipeline.support.errors import ContractError, Fault, InputError
from pipeline.support.files import atomic_writer, open_input

C = TypeVar("C", bound=BaseModel)
R = TypeVar("R", bound=Contract)

MAX_BYTES = 512 << 20
"""A JSON or CSV file larger than this is refused: the largest real one is 0.3 MB."""
MAX_FIELD = 1 << 20
"""Characters in one CSV field."""


@contextlib.contextmanager
def without_gc() -> Iterator[None]:
    """Pause the cyclic garbage collector: parsing a large file makes many objects and no garbage.

    Measured on a manifest of 200,000 rows: half the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_text(path: Path) -> str:
    """Read UTF-8 text, with or without a BOM.

    Raises:
        InputError: the file is missing, too large, or not UTF-8.
    """
    with open_input(path) as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path} is larger than {MAX_BYTES >> 20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}: not UTF-8 at line {line} (byte {error.start})", hint="Save the file as UTF-8."
        ) from None


def read_json(path: Path, model: type[C]) -> C:
    """Read a JSON file of a contract.

    Raises:
        InputError: the file is missing, not UTF-8, or not JSON.
        ContractError: it is JSON of another shape; every fault is named.
    """
    with without_gc():
        return parse(model, load_json(path), source=str(path))


def load_json(path: Path) -> Any:
    """Read a JSON file as plain data: for files whose kind is still to be told.

    Raises:
        InputError: the file is missing, not UTF-8, or not JSON (with line and column).
    """
    return json_value(read_text(path), source=str(path))


def json_value(text: str, *, source: str) -> Any:
    """Return JSON text as plain data.

    Args:
        text: the file's text.
        source: its path, for errors.

    Raises:
        InputError: it is not JSON (with line and column), or holds what no file could be written with again.
    """
    try:
        data = json.loads(text, parse_constant=_no_constant)
        if "\\ud" in text or "\\uD" in text:
            # An escape may name half a character, which no file could be written with again.
            json.dumps(data, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as error:
        end = "the file ends too early" if error.pos >= len(text.rstrip()) else error.msg
        raise InputError(f"{source}: not JSON at line {error.lineno}, column {error.colno}: {end}") from None
    except RecursionError:
        raise InputError(f"{source}: not usable JSON: nested too deeply") from None
    except ValueError as error:
        reason = "half a character (a lone surrogate)" if isinstance(error, UnicodeError) else error
        raise InputError(f"{source}: not usable JSON: {reason}") from None
    return data


def write_json(path: Path, document: BaseModel) -> None:
    """Write a contract: UTF-8, two-space indent, final newline, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with atomic_writer(path) as stream:
        for piece in document.json_pieces() if isinstance(document, Contract) else [json_bytes(document)]:
            stream.write(piece)


def json_bytes(document: BaseModel) -> bytes:
    """Return the bytes that `write_json` would write."""
    if isinstance(document, Contract):
        return document.to_json()
    return document.model_dump_json(indent=2).encode("utf-8") + b"\n"


def read_csv(path: Path, model: type[R], columns: Sequence[str]) -> list[R]:
    """Read a CSV of a contract whose fields are its columns, in any order.

    A BOM, CRLF and newlines inside quotes are read as they should be. A named column that the contract does
    not know is kept with its rows. Blank lines are passed over.

    Raises:
        InputError: the file is missing, not UTF-8, or a quote is never closed.
        ContractError: a column is missing, stands twice or has no name; a row has too few or too many fields;
            a field breaks the contract. Rows are named by line and by their own name.
    """
    return read_csv_lines(path, model, columns)[0]


def read_csv_lines(path: Path, model: type[R], columns: Sequence[str]) -> tuple[list[R], list[int]]:
    """Read a CSV as `read_csv` does, and tell for each row the line it starts at, for messages.

    Raises:
        InputError: as `read_csv`.
        ContractError: as `read_csv`.
    """
    adapter = TypeAdapter(list[model])  # type: ignore[valid-type]
    read: list[R] = []
    lines: list[int] = []
    faults: list[Fault] = []
    with without_gc():
        for rows, their_lines in _csv_rows(path, read_text(path), columns):
            try:
                read += _plain_rows(rows, model) or _sharing_fields_set(adapter.validate_python(rows))
            except ValidationError as error:
                faults += _csv_faults(error, rows, their_lines)
            lines += their_lines
    if faults:
        raise ContractError(str(path), faults)
    return read, lines


def _plain_rows(rows: list[dict[str, str]], model: type[R]) -> list[R] | None:
    """Build rows that cannot break their contract without validating each: half the time.

    That is where every field is text, the columns are the declared ones in order, and every character is
    printable, so that there is no control character to find. None leaves the rows to the validation.
    """
    if not rows or not is_all_text(model) or list(rows[0]) != list(model.model_fields):
        return None
    if not "".join(["".join(row.values()) for row in rows]).isprintable():
        return None
    names = set(rows[0])
    return [model.trusted(names, row) for row in rows]


def _sharing_fields_set(rows: list[R]) -> list[R]:
    """Give rows that were all read with the same columns one record of that: a third of their memory."""
    if rows:
        were_set = rows[0].model_fields_set
        for row in rows:
            object.__setattr__(row, "__pydantic_fields_set__", were_set)
    return rows


def write_csv(path: Path, rows: Sequence[Contract], columns: Sequence[str]) -> None:
    """Write rows as a CSV with these columns first, then those that only the rows know.

    Raises:
        OutputError: the file cannot be written.
    """
    extra: dict[str, None] = {}
    for row in rows:
        if row.__pydantic_extra__:
            extra.update(dict.fromkeys(row.__pydantic_extra__))
    names = [*columns, *extra]
    with atomic_writer(path) as stream:
        lines = [_csv_line(names)]
        for row in rows:
            if extra:
                lines.append(_csv_line([getattr(row, name, "") for name in names]))
            else:
                fields = row.__dict__
                lines.append(_csv_line([fields[name] for name in names]))
            if len(lines) == _LINES_AT_ONCE:
                stream.write("".join(lines).encode("utf-8"))
                lines.clear()
        stream.write("".join(lines).encode("utf-8"))


_LINES_AT_ONCE = 4096


def _csv_line(values: list[Any]) -> str:
    """Return a line as the csv module writes it, quoting only where needed, six times as fast.

    The module looks at every character on its own; most lines hold nothing that wants quotes, which three
    searches tell.
    """
    try:
        line = ",".join(values)
    except TypeError:  # numbers, and None for nothing
        values = ["" if value is None else str(value) for value in values]
        line = ",".join(values)
    plain = line.count(",") == len(values) - 1 and '"' not in line and "\n" not in line and "\r" not in line
    if plain and line:
        return f"{line}\n"
    if len(values) == 1 and not line:
        return '""\n'
    return ",".join([_csv_field(value) for value in values]) + "\n"


def _csv_field(value: str) -> str:
    if "," in value or '"' in value or "\n" in value or "\r" in value:
        doubled = value.replace('"', '""')
        return f'"{doubled}"'
    return value


def _csv_rows(
    path: Path, text: str, columns: Sequence[str]
) -> Iterator[tuple[list[dict[str, str]], list[int]]]:
    """Yield rows and the lines they start at, some at a time: all at once would take twice the memory."""
    csv.field_size_limit(MAX_FIELD)
    # StringIO would hold four bytes for every character.
    stream = io.TextIOWrapper(io.BytesIO(text.encode("utf-8")), encoding="utf-8", newline="")
    reader = csv.reader(stream, strict=True)
    rows: list[dict[str, str]] = []
    lines: list[int] = []
    faults: list[Fault] = []
    started = 1
    try:
        header = next(reader, None)
        if header is None:
            raise ContractError(str(path), [Fault("line 1", f"the header {','.join(columns)} is missing")])
        _check_header(path, header, columns)
        width = len(header)
        started = reader.line_num + 1
        for cells in reader:
            if len(cells) == width:
                rows.append(dict(zip(header, cells, strict=True)))
                lines.append(started)
                if len(rows) == _LINES_AT_ONCE:
                    yield rows, lines
                    rows, lines = [], []
            elif cells:
                problem = f"has {len(cells)} fields where the header has {width}"
                faults.append(Fault(f"line {started}", problem))
            started = reader.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}: not a usable CSV: the row that starts at line {started}: {_csv_reason(str(error))}"
        ) from None
    if faults:
        raise ContractError(str(path), faults, hint="A comma inside a field needs quotes around the field.")
    yield rows, lines


def _csv_reason(reason: str) -> str:
    if "unexpected end" in reason:
        return "a quote is opened and never closed"
    if "field larger" in reason:
        return f"a field is longer than {MAX_FIELD} characters (is a quote left open?)"
    return reason


def _csv_faults(error: ValidationError, rows: list[dict[str, str]], lines: list[int]) -> Iterator[Fault]:
    for fault, item in zip(faults_of(error, rows), error.errors(include_url=False), strict=True):
        index = int(item["loc"][0])
        field = ".".join(str(step) for step in item["loc"][1:])
        yield Fault(_row_in_words(lines[index], rows[index], field), fault.problem)


def _check_header(path: Path, header: list[str], columns: Sequence[str]) -> None:
    faults = [Fault("line 1", f"the column {name!r} is missing") for name in columns if name not in header]
    faults += [
        Fault("line 1", f"the column {name!r} stands {header.count(name)} times")
        for name in dict.fromkeys(header)
        if header.count(name) > 1 and name
    ]
    if "" in header:
        faults.append(Fault("line 1", f"column {header.index('') + 1} has no name"))
    if faults:
        hint = f"Needed, in any order: {','.join(columns)}. Found: {shown(','.join(header))}"
        raise ContractError(str(path), faults, hint=hint)


def _row_in_words(line: int, row: dict[str, str], field: str) -> str:
    name = row.get("name") or row.get("id") or row.get("label") or ""
    return f"line {line}{f' ({shown(name)})' if name else ''}, column {field}"


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
