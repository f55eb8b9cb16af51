#!/usr/bin/python3
"""The schemas and the examples of the protocol hold each other.

Every file of examples/valid fits the schema of its type. Every file of examples/invalid is no JSON, does not fit the
schema, or stands in BEYOND with the rule that a schema cannot express; what stands there does fit the schema, so
the list cannot grow stale. The words of the .def files are the words of the schemas.
"""

import json
import pathlib
import re
import sys

import jsonschema

BEYOND = {
    "line-depth-17": "nested deeper than 16",
    "line-duplicate-key": "a key that is there twice",
    "line-duplicate-key-escaped": "a key that is there twice",
    "line-duplicate-key-deep": "a key that is there twice",
    "line-infinity": "not JSON, though this parser reads it",
    "line-integer-huge": "an integer beyond 2^53-1 in an unknown field",
    "line-integer-large": "an integer beyond 2^53-1 in an unknown field",
    "line-integer-small": "an integer beyond 2^53-1 in an unknown field",
    "line-lone-low-surrogate": "a surrogate alone is no character",
    "line-lone-surrogate": "a surrogate alone is no character",
    "line-nan": "not JSON, though this parser reads it",
    "line-real-huge": "a number that no double holds",
    "register-body-inline-alone": "inline must not be the last body mode",
    "register-body-inline-last": "inline must not be the last body mode",
    "reply-edit-value-folded-999": "a line of a field has at most 998 octets",
    "reply-edit-value-line-999": "the first line of a field has at most 998 octets, with its name",
    "reply-edit-value-octets-999": "a line has at most 998 octets, not characters",
    "reply-keep-session-4097": "at most 4096 octets are kept",
    "reply-keep-transaction-4097": "at most 4096 octets are kept",
    "reply-id-real-whole": "6.0 is an integer to a schema, and none to the protocol",
    "heartbeat-seq-after-head": "seq must not be greater than head",
    "event-seq-not-after-prev": "seq must be greater than prev",
    "gap-lost-wrong": "lost must be to - from + 1",
    "gap-to-before-from": "to must not be less than from",
}

failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def words(path, macro):
    return re.findall(rf'^{macro}\(\w+, "([^"]+)"', path.read_text(), re.MULTILINE)


def load_schemas(folder):
    validators = {}
    for path in sorted(folder.glob("*.json")):
        schema = json.loads(path.read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        check(schema["properties"]["type"]["const"] == path.stem, f"{path.name} is for another type")
        validators[path.stem] = jsonschema.Draft202012Validator(schema)
    return validators


def check_valid(folder, validators):
    seen = set()
    for path in sorted(folder.iterdir()):
        message = json.loads(path.read_bytes())
        check(message["type"] == path.stem.split("-")[0], f"valid/{path.name} is named after another type")
        for error in validators[message["type"]].iter_errors(message):
            failures.append(f"valid/{path.name}: {error.message}")
        seen.add(message["type"])
    check(seen == set(validators), f"types without a valid example: {set(validators) - seen}")


def fits(path, validator):
    try:
        message = json.loads(path.read_bytes().decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return validator.is_valid(message)


def check_invalid(folder, validators):
    seen = set()
    beyond = set()
    for path in sorted(folder.iterdir()):
        kind = path.stem.split("-")[0]
        validator = validators["reply" if kind == "line" else kind]
        seen.add(kind)
        if path.stem in BEYOND:
            beyond.add(path.stem)
            check(fits(path, validator), f"invalid/{path.name} fails the schema: take it out of BEYOND")
        else:
            check(not fits(path, validator), f"invalid/{path.name} fits the schema")
    check(seen == set(validators) | {"line"}, f"types without an invalid example: {set(validators) - seen}")
    check(beyond == set(BEYOND), f"no such examples: {set(BEYOND) - beyond}")


def check_words(protocol, validators):
    hooks = words(protocol / "hooks.def", "HOOK")
    events = words(protocol / "events.def", "EVENT")
    reasons = words(protocol / "disconnect.def", "DISCONNECT")
    failures_known = words(protocol / "failures.def", "FAILURE")
    schema = {kind: validator.schema for kind, validator in validators.items()}
    check(hooks and events and reasons, "a .def file is empty")
    check(schema["request"]["properties"]["hook"]["enum"] == hooks, "request.json has other hooks than hooks.def")
    check(schema["register"]["properties"]["hooks"]["propertyNames"]["enum"] == hooks, "register.json: hooks.def")
    check(schema["event"]["properties"]["event"]["enum"] == events, "event.json has other events than events.def")
    check(
        [row["if"]["properties"]["event"]["const"] for row in schema["event"]["allOf"]] == events,
        "event.json does not tell the data of each event",
    )
    check(set(events) < set(schema["subscribe"]["properties"]["events"]["items"]["enum"]), "subscribe.json: events.def")
    text = json.dumps(schema["event"])
    check(text.count(json.dumps(failures_known)) == 2, "event.json has other failures than failures.def")
    verdicts = schema["reply"]["properties"]["verdict"]["enum"]
    check(text.count(json.dumps(verdicts)) == 2, "event.json has other verdicts than reply.json")
    allowed = re.findall(r'^HOOK\(.*, "([a-z ]*)"\)$', (protocol / "hooks.def").read_text(), re.MULTILINE)
    check(len(allowed) == len(hooks), "hooks.def: the verdicts of a hook cannot be read")
    check({word for row in allowed for word in row.split()} == set(verdicts), "reply.json has other verdicts than hooks.def")
    for kind in ("request", "event"):
        text = json.dumps(schema[kind])
        check(json.dumps(reasons) in text, f"{kind}.json has other disconnect reasons than disconnect.def")


def main():
    protocol = pathlib.Path(sys.argv[1]) / "protocol"
    validators = load_schemas(protocol / "schema")
    check_valid(protocol / "examples" / "valid", validators)
    check_invalid(protocol / "examples" / "invalid", validators)
    check_words(protocol, validators)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
