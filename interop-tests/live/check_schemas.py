"""Checks JSON objects against the published schemas: python3 check_schemas.py SCHEMAS < LINES

Each line is {"schema": NAME, "from": TEXT, "value": OBJECT}. Every object must fit its schema, and every object that is
damaged in one place must not: without a required member, with one member more, with another word where words are closed.
Prints one JSON object: {"schemas", "objects", "damaged", "problems", "unused"}.
"""

import json
import pathlib
import sys

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

COMMON = "common.schema.json"
MOST = 20  # problems that are told; more say nothing new


def load(folder):
    """The schemas by file name, and what is wrong with them as schemas."""
    schemas, problems = {}, []
    for path in sorted(folder.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        if schema.get("$id") != path.name or schema.get("$schema") != Draft202012Validator.META_SCHEMA["$id"]:
            problems.append(f"{path.name}: `$id` or `$schema` is not what it should be")
        problems.extend(f"{path.name}: {what}" for what in strictness(schema))
        schemas[path.name] = schema
    return schemas, problems


def strictness(schema, place="the object"):
    """What a schema leaves open that the house wants closed."""
    if not schema.get("description"):
        yield f"{place} has no description"
    if schema.get("type") == "object" and "properties" in schema and schema.get("additionalProperties") is not False:
        yield f"{place} lets in members that it does not name"
    if set(schema.get("required", [])) - set(schema.get("properties", {})):
        yield f"{place} requires a member that it does not describe"
    for kind in ("properties", "$defs"):
        for name, inner in schema.get(kind, {}).items():
            yield from strictness(inner, f"`{name}`")


def words(schema, schemas):
    """Whether a member's schema is a closed list of words, or such a list or null."""
    if "$ref" in schema and schema["$ref"].startswith(COMMON):
        return words(schemas[COMMON]["$defs"][schema["$ref"].rsplit("/", 1)[1]], schemas)
    return "enum" in schema or "const" in schema or any(words(inner, schemas) for inner in schema.get("anyOf", []))


def damaged(value, schema, schemas):
    """Copies of an object, each wrong in one place, and what was done to it."""
    for name in schema.get("required", []):
        yield f"without `{name}`", {key: part for key, part in value.items() if key != name}
    yield "with a member more", {**value, "no_such_member": 1}
    for name, inner in schema.get("properties", {}).items():
        if name in value and words(inner, schemas):
            yield f"with a wrong `{name}`", {**value, name: "no-such-word"}


def main():
    schemas, problems = load(pathlib.Path(sys.argv[1]))
    registry = Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in schemas.items())
    validators = {name: Draft202012Validator(schema, registry=registry) for name, schema in schemas.items()}
    used, bent, objects = {COMMON}, 0, 0
    for line in sys.stdin:
        line = json.loads(line)
        name, value = f"{line['schema']}.schema.json", line["value"]
        if name not in validators:
            problems.append(f"{line['from']}: there is no {name}")
            continue
        objects, first = objects + 1, name not in used
        used.add(name)
        for error in validators[name].iter_errors(value):
            problems.append(f"{line['from']}: {name} at {error.json_path}: {error.message}")
        # The first of its kind is enough to see whether its schema is a real one.
        for what, copy in damaged(value, schemas[name], schemas) if first else []:
            bent += 1
            if validators[name].is_valid(copy):
                problems.append(f"{line['from']}: {name} accepts an object {what}")
    unused = sorted(set(schemas) - used)
    sums = {"schemas": len(schemas), "objects": objects, "damaged": bent, "problems": problems[:MOST], "unused": unused}
    print(json.dumps(sums))


if __name__ == "__main__":
    main()
