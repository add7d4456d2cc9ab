"""What a contract's fields mean: the docstrings below them, read from the source.

Python keeps the docstring of a class and throws away those below its fields. Pydantic can keep them (its
``use_attribute_docstrings``) by parsing the source of every class whenever it is imported; here the source is
parsed when somebody asks.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from types import ModuleType

from pydantic import BaseModel


@cache
def meanings(module: ModuleType) -> Mapping[tuple[str, str], str]:
    """Return the docstrings of a module's classes (under an empty name) and of their fields, on one line."""
    found = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ClassDef):
            found[node.name, ""] = ast.get_docstring(node) or ""
            found |= {(node.name, name): text for name, text in _fields(node)}
    return {where: " ".join(inspect.cleandoc(text).split()) for where, text in found.items()}


def meaning_of(model: type[BaseModel], name: str) -> str:
    """Return what a field means, as the class or the one that it comes from says; empty where none does."""
    for base in model.__mro__:
        module = inspect.getmodule(base)
        if module is not None and issubclass(base, BaseModel) and base is not BaseModel:
            text = meanings(module).get((base.__name__, name))
            if text:
                return text
    return ""


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, after in zip(node.body, node.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            yield field.target.id, after.value.value
