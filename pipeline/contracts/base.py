"""The base of every contract: strict types, unknown fields kept, the order of a file's fields kept.

A contract that is read from a file and written again gives the same fields in the same order, also those it
does not know. A field that is set later takes its place behind them. A field with a default is written only
where it was set. Speed decides the shape of this module: manifests of 200,000 rows are read and written in
about two seconds, which Python hooks on every row (validators, serialisers) would make ten.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Self, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    RootModel,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import to_json

from pipeline.support.errors import ContractError, Fault

C = TypeVar("C", bound=BaseModel)

_ORDER = "_order_in_file"
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
_ONE_LINE = rf"[^{_CONTROL}]*"
_NOT_BLANK = rf"{_ONE_LINE}[^\s{_CONTROL}]{_ONE_LINE}"

_LINE = rf"^{_ONE_LINE}$"

Line = Annotated[str, StringConstraints(pattern=_LINE)]
"""Text on one line: no control characters, so that it cannot forge a line of a log or a checksum file."""

Name = Annotated[str, StringConstraints(pattern=rf"^{_NOT_BLANK}$")]
"""A `Line` that is not blank."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""Sixty-four lower-case hexadecimal digits."""

_PATTERNS = {
    rf"^{_ONE_LINE}$": "must be one line without control characters",
    rf"^{_NOT_BLANK}$": "must be one line, not blank, without control characters",
    r"^[0-9a-f]{64}$": "must be a SHA-256 in lower-case hex",
}


class Contract(BaseModel):
    """A typed file or a part of one. Unknown fields are kept; types are strict (no ``"1"`` for ``1``)."""

    model_config = ConfigDict(extra="allow", strict=True, protected_namespaces=())

    def to_data(self) -> dict[str, Any]:
        """Return what is written to the file: plain dicts, lists, strings and numbers."""
        if _all_in_declared_order():
            return self.model_dump(exclude_unset=True, warnings="error")
        data: dict[str, Any] = _plain(self)
        return data

    def to_json(self) -> bytes:
        """Return the file itself: UTF-8 JSON, two-space indent, final newline."""
        if _all_in_declared_order():
            text = self.__pydantic_serializer__.to_json(self, indent=2, exclude_unset=True, warnings="error")
            return text + b"\n"
        return to_json(_plain(self), indent=2) + b"\n"

    def json_pieces(self) -> Iterator[bytes]:
        """Yield what `to_json` returns, the longest list of contracts some rows at a time.

        Of a manifest of 200,000 rows the text is 70 MB, which a serialiser holds twice.
        """
        lists = _lists_of(type(self))
        name = max(lists, key=lambda field: len(getattr(self, field) or ()), default=None)
        rows = (getattr(self, name) or []) if name else []
        if name is None or len(rows) <= _ROWS_AT_ONCE or not _all_in_declared_order():
            yield self.to_json()
            return
        # No string of the text holds a newline, so that the field's own line is the only one like it.
        head, tail = self.replace(**{name: []}).to_json().split(f'\n  "{name}": []'.encode())
        yield head + f'\n  "{name}": ['.encode()
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            piece = rows[start : start + _ROWS_AT_ONCE]
            text = lists[name].dump_json(piece, indent=2, exclude_unset=True, warnings="error")
            yield (b"," if start else b"") + text[1:-2].replace(b"\n", b"\n  ")
        yield b"\n  ]" + tail

    @classmethod
    def trusted(cls, names: set[str], values: dict[str, Any]) -> Self:
        """Build a contract of values that were validated already, in the declared order of the fields.

        ``names`` is the set of the fields that are written; many rows may share one, which saves 0.7 kB each.
        For rows by the hundred thousand: six times as fast as the constructor.
        """
        made = cls.__new__(cls)
        put = object.__setattr__
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", names)
        put(made, "__pydantic_extra__", {})
        put(made, "__pydantic_private__", None)
        return made

    def replace(self, **changes: Any) -> Self:
        """Return a copy with these fields changed; unknown fields and the order of the file stay."""
        if self.__pydantic_extra__ or not changes.keys() <= self.__dict__.keys():
            return self.model_copy(update=changes)
        names = self.__pydantic_fields_set__
        if not changes.keys() <= names:
            names = _names_with(names, tuple(changes))
        return self.trusted(names, self.__dict__ | changes)

    def __setattr__(self, name: str, value: Any) -> None:
        # The record of what was set may be shared by many rows (`trusted`): this one gets its own.
        object.__setattr__(self, "__pydantic_fields_set__", {*self.__pydantic_fields_set__, name})
        super().__setattr__(name, value)


_ROWS_AT_ONCE = 8192


@cache
def is_all_text(model: type[Contract]) -> bool:
    """Tell whether every field is a required `Line` or any text: what is printable is then valid."""
    decorators = model.__pydantic_decorators__
    if decorators.field_validators or decorators.model_validators:
        return False
    return all(
        field.annotation is str
        and field.is_required()
        and all(getattr(part, "pattern", None) == _LINE for part in field.metadata)
        for field in model.model_fields.values()
    )


def parse(model: type[C], data: Any, *, source: str) -> C:
    """Validate plain data read from ``source`` against a contract.

    Raises:
        ContractError: naming every row and field that breaks the contract, with the row's own name where it
            has one.
    """
    try:
        read = model.model_validate(data)
    except ValidationError as error:
        raise ContractError(source, faults_of(error, data)) from None
    _remember_order(read, data)
    return read


def faults_of(error: ValidationError, data: Any) -> list[Fault]:
    """Turn pydantic's findings into faults that name row and field."""
    faults: list[Fault] = []
    for item in error.errors(include_url=False):
        problem = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            problem = "this field is missing"
        elif item["type"] == "string_pattern_mismatch":
            problem = f"{_PATTERNS.get(item['ctx']['pattern'], problem)}, not {shown(item['input'])}"
        elif item["type"] != "value_error":
            problem += f", not {shown(item['input'])}"
        faults.append(Fault(_where(item["loc"], data), problem))
    return faults


def shown(value: Any) -> str:
    """Return a value as a message may show it: quoted, on one line, cut at 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


_ATOMS = frozenset({str, bool, int, float, type(None)})


def _plain(value: Any) -> Any:
    # A call for every value would double the time: what needs no visit is told by its type on the spot.
    if isinstance(value, Contract):
        return _plain_contract(value)
    if isinstance(value, list):
        return [item if type(item) in _ATOMS else _plain(item) for item in value]
    if isinstance(value, dict):
        return {key: item if type(item) in _ATOMS else _plain(item) for key, item in value.items()}
    if isinstance(value, RootModel):
        return _plain(value.root)
    return value


def _plain_contract(value: Contract) -> dict[str, Any]:
    fields = value.__dict__
    was_set = value.__pydantic_fields_set__
    data = {
        key: item if type(item) in _ATOMS else _plain(item) for key, item in fields.items() if key in was_set
    }
    extra = value.__pydantic_extra__
    if extra:
        data.update({key: _plain(item) for key, item in extra.items()})
    order = fields.get(_ORDER)
    if order is None:
        return data
    return {key: data[key] for key in order if key in data} | data


def _remember_order(model: Any, data: Any) -> None:
    """Keep the order of a mapping's keys on the contract read from it, where it is not the declared one."""
    if isinstance(model, Contract):
        _remember_keys(model, tuple(data))
        for key in _nested(type(model)):
            if key in data:
                _remember_order(model.__dict__[key], data[key])
    elif isinstance(model, list):
        for item, raw in zip(model, data, strict=True):
            # Of most rows nothing new is to be remembered, which these two look-ups tell.
            names = _plain_keys.get((type(item), tuple(raw))) if isinstance(raw, dict) else None
            if names is None:
                _remember_order(item, raw)
            else:
                object.__setattr__(item, "__pydantic_fields_set__", names)
    elif isinstance(model, dict):
        for key, item in model.items():
            _remember_order(item, data[key])


def _remember_keys(model: Contract, keys: tuple[str, ...]) -> None:
    kind = type(model)
    declared = _is_declared_order(kind, keys)
    if not declared:
        model.__dict__[_ORDER] = keys
    names = _known_names.get((kind, keys))
    if names is not None:
        object.__setattr__(model, "__pydantic_fields_set__", names)
    elif len(_known_names) < 1024:
        _known_names[kind, keys] = names = model.__pydantic_fields_set__
        if declared and not any(key in _nested(kind) for key in keys):
            _plain_keys[kind, keys] = names


@cache
def _fields(model: type[Contract]) -> tuple[str, ...]:
    return tuple(model.model_fields)


@cache
def _nested(model: type[Contract]) -> tuple[str, ...]:
    """Return the fields that hold other contracts, from the annotation's own text."""
    return tuple(name for name, field in model.model_fields.items() if _holds_contract(field.annotation))


@cache
def _lists_of(model: type[Contract]) -> dict[str, TypeAdapter[Any]]:
    """Return the fields that are lists of contracts, or may be, each with what writes such a list."""
    found = {}
    for name in _nested(model):
        annotation = model.model_fields[name].annotation
        for kind in (annotation, *get_args(annotation)):
            if get_origin(kind) is list and _holds_contract(kind):
                found[name] = TypeAdapter[Any](kind)
    return found


def _holds_contract(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, Contract):
        return True
    return any(_holds_contract(part) for part in getattr(annotation, "__args__", ()))


# Which orders of keys were met, and whether each is the declared one. While all are, writing takes pydantic's
# own serialiser, four times as fast as `_plain`, with the same result.
_known_orders: dict[tuple[type[Contract], tuple[str, ...]], bool] = {}

# What was set, for each order of keys that was met: rows with the same keys share it, at 0.7 kB each.
_known_names: dict[tuple[type[Contract], tuple[str, ...]], set[str]] = {}

# Those of them that are in the declared order and hold no other contract.
_plain_keys: dict[tuple[type[Contract], tuple[str, ...]], set[str]] = {}

# The same for fields that `Contract.replace` sets. The first set is kept too, so that its id stays its own.
_names_after: dict[tuple[int, tuple[str, ...]], tuple[set[str], set[str]]] = {}


def _names_with(names: set[str], more: tuple[str, ...]) -> set[str]:
    """Return ``names`` and ``more``, as one set for all rows that share ``names``."""
    met = _names_after.get((id(names), more))
    if met is not None:
        return met[1]
    both = names.union(more)
    if len(_names_after) < 1024:
        _names_after[id(names), more] = names, both
    return both


def _all_in_declared_order() -> bool:
    return all(_known_orders.values())


def _is_declared_order(model: type[Contract], keys: tuple[str, ...]) -> bool:
    known = _known_orders.get((model, keys))
    if known is None:
        fields = _fields(model)
        declared = [key for key in fields if key in keys]
        unknown = [key for key in keys if key not in fields]
        known = [*declared, *unknown] == list(keys)
        # A hostile file could name endless unknown fields: beyond a bound only "some differ" is remembered.
        if len(_known_orders) < 1024:
            _known_orders[model, keys] = known
        elif not known:
            _known_orders[model, ()] = False
    return known


def _where(loc: tuple[int | str, ...], data: Any) -> str:
    """Turn a pydantic location into ``images[3] (todo_foil).status``."""
    text = ""
    here = data
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
            here = here[step] if isinstance(here, list) and step < len(here) else None
            name = _name_of(here)
            text += f" ({name})" if name else ""
        else:
            text += f".{step}" if text else step
            here = here.get(step) if isinstance(here, dict) else None
    return text


def _name_of(row: Any) -> str:
    if not isinstance(row, dict):
        return ""
    for key in ("name", "id", "item_id", "canonical_label", "filename"):
        if isinstance(row.get(key), str) and row[key]:
            return shown(row[key]).strip("'\"")
    return ""
