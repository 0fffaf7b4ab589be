"""Azure's published API documents and examples, for judging the sandbox's answers; never needed to run."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from jsonschema import Draft4Validator, ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

FOLDER = Path(__file__).parents[3] / "shared" / "contracts"
"""Beside the project; tests that need it skip where it is not."""

_ROOT = "https://contracts.invalid/"

_DOCUMENTS = {
    "Microsoft.Compute/2025-04-01": "ComputeRP.json",
    "Microsoft.HybridCompute/2025-01-13": "HybridCompute.json",
    "Microsoft.HybridCompute/2026-07-15": "../2025-01-13/HybridCompute.json",
    "Microsoft.Maintenance/2023-04-01": "Maintenance.json",
    "Microsoft.Maintenance/2025-11-01": "Maintenance.json",
    "Microsoft.ResourceGraph/2021-03-01": "resourcegraph.json",
    "Microsoft.ResourceGraph/2024-04-01": "resourcegraph.json",
}
"""The newest HybridCompute version comes with examples only; its document is that of the version before."""


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One published example of one operation."""

    file: str
    operation: str
    method: str
    path: str
    parameters: dict[str, Any]
    statuses: tuple[int, ...]


def examples() -> Iterator[Example]:
    """Every example of every operation in the index."""
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    for entry in index["files"]:
        for use in entry.get("operations", []):
            content = json.loads((FOLDER / entry["file"]).read_text(encoding="utf-8"))
            yield Example(
                file=entry["file"],
                operation=use["operationId"],
                method=use["method"],
                path=use["path"],
                parameters=content["parameters"],
                statuses=tuple(int(status) for status in content["responses"]),
            )


def complaints(example: Example, status: int, body: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """What the operation's schema for this status has against a body; empty when it fits.

    A status the document does not declare is judged by its `default`. Members that are null count as absent:
    Azure's own examples write them so.
    """
    document = _document(example)
    responses = _operation(document, example)["responses"]
    schema = responses.get(str(status), responses.get("default"))
    if schema is None:
        return [f"status {status} is not declared"]
    if "schema" not in schema:
        return [] if body is None else ["a body where none is declared"]
    validator = Draft4Validator({"$ref": _pointer(document, example, str(status))}, registry=_registry())
    errors = [error for error in validator.iter_errors(_without_nulls(body)) if not _known_difference(error)]
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def _known_difference(error: ValidationError) -> bool:
    """Where Azure's own examples differ from Azure's schemas, or the schema is out of date.

    VM sizes are an open enum that ends in 2018 (other open enums are held to their words). Resource Graph declares
    `data` an object, and it is a list in the format objectArray.
    """
    enum = error.schema.get("x-ms-enum", {}) if isinstance(error.schema, dict) else {}
    rows = error.json_path == "$.data" and isinstance(error.instance, list)
    return rows or enum.get("name") == "VirtualMachineSizeTypes"


def undeclared(example: Example, body: Any) -> list[str]:  # noqa: ANN401 - any JSON
    """Members of a 200 body that its schema does not know: what a typing error would look like."""
    document = _document(example)
    schema = _operation(document, example)["responses"]["200"].get("schema", {})
    return list(_unknown(_without_nulls(body), (schema, _registry().resolver(document)), "$"))


_Schema = tuple[dict[str, Any], Any]
"""A schema and what resolves the references in it."""


def _unknown(value: Any, schema: _Schema, path: str) -> Iterator[str]:  # noqa: ANN401 - any JSON
    schema = _resolved(schema)
    if isinstance(value, list):
        for item in value:
            yield from _unknown(item, (schema[0].get("items", {}), schema[1]), f"{path}[]")
    if not isinstance(value, dict):
        return
    known, free = _properties(schema)
    for name, member in value.items():
        if name in known:
            yield from _unknown(member, known[name], f"{path}.{name}")
        elif not free:
            yield f"{path}.{name}"


def _properties(schema: _Schema) -> tuple[dict[str, _Schema], bool]:
    """Declared members, those of allOf included; True when any other may come beside them."""
    content, resolver = _resolved(schema)
    known: dict[str, _Schema] = {name: (member, resolver) for name, member in content.get("properties", {}).items()}
    for part in content.get("allOf", []):
        known |= _properties((part, resolver))[0]
    return known, bool(content.get("additionalProperties")) or not known


def _resolved(schema: _Schema) -> _Schema:
    content, resolver = schema
    while "$ref" in content:
        found = resolver.lookup(content["$ref"])
        content, resolver = found.contents, found.resolver
    return content, resolver


def _document(example: Example) -> str:
    folder = "/".join(example.file.split("/")[:2])
    relative = (FOLDER / folder / _DOCUMENTS[folder]).resolve().relative_to(FOLDER.resolve())
    return _ROOT + relative.as_posix()


def _operation(document: str, example: Example) -> dict[str, Any]:
    content = _registry().contents(document)
    return dict(content["paths"][_declared_path(content, example)][example.method.lower()])


def _declared_path(content: dict[str, Any], example: Example) -> str:
    return next(str(path) for path in content["paths"] if path.lower() == example.path.lower())


def _pointer(document: str, example: Example, status: str) -> str:
    content = _registry().contents(document)
    path = (
        _declared_path(content, example).replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
    )
    declared = status if status in _operation(document, example)["responses"] else "default"
    return f"{document}#/paths/{path}/{example.method.lower()}/responses/{declared}/schema"


@cache
def _registry() -> Registry[Any]:
    """Resolves `$ref` by the rule of the contracts' index: leading `../` beyond the folder fall away, as in any URL."""

    def retrieve(uri: str) -> Resource[Any]:
        path = FOLDER / urlsplit(uri).path.lstrip("/")
        return DRAFT4.create_resource(json.loads(path.read_text(encoding="utf-8")))

    registry: Registry[Any] = Registry(retrieve=retrieve)  # type: ignore[call-arg]  # attrs alias that mypy does not see
    for document in sorted({_ROOT + f"{folder}/{name}" for folder, name in _DOCUMENTS.items() if "/" not in name}):
        registry = registry.get_or_retrieve(document).registry
    return registry


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
