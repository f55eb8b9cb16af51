#!/usr/bin/python3
"""PROTOCOL.md says what is true: its examples are the example files, its tables have the rows of the .def files and the
fields of the schemas, its links lead somewhere."""

import json
import pathlib
import re
import sys

failures = []


def check(condition, text):
    if not condition:
        failures.append(text)


def words(path, macro):
    return re.findall(rf'^{macro}\(\w+, "([^"]+)"', path.read_text(), re.MULTILINE)


def section(document, title):
    """The lines below a heading, up to the next one."""
    match = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", document, re.MULTILINE | re.DOTALL)
    check(match, f'there is no section "{title}"')
    return match.group(1) if match else ""


def rows(text):
    """The cells of all table rows whose first cell is `code`, without the backquotes of that cell."""
    found = re.findall(r"^\| `([^`]+)`(.*)\|$", text, re.MULTILINE)
    return [[first] + [cell.strip() for cell in rest.split("|")[1:]] for first, rest in found]


def check_examples(document, protocol):
    files = {path.read_text(): path.name for path in (protocol / "examples" / "valid").iterdir()}
    blocks = re.findall(r"^```json\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
    check(document.count("```") == 2 * len(blocks), "a block of code is not marked as json")
    for block in blocks:
        check(block in files, f"an example is no file of examples/valid: {block}")
    shown = {json.loads(block)["type"] for block in blocks}
    types = {path.stem for path in (protocol / "schema").iterdir()}
    check(shown == types, f"types without an example in the document: {types - shown}")


def field_names(text):
    """The names in the first cells of the tables of fields."""
    tables = re.findall(r"^\| field \| value \|\n\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    return {name for table in tables for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def check_fields(document, protocol):
    """The tables of each message have the fields of its schema, and no others."""
    for kind in ("register", "ready", "request", "reply", "cancel", "progress", "window", "error", "subscribe", "subscribed", "event", "gap", "status", "heartbeat"):
        schema = json.loads((protocol / "schema" / f"{kind}.json").read_text())
        names = field_names(section(document, kind))
        known = set(schema["properties"]) - {"must"}
        check(known <= names, f'section "{kind}" does not have the fields {known - names}')
        for name in names - known:
            check(f'"{name}":' in json.dumps(schema), f'section "{kind}" has the field {name}, its schema does not')


def check_hooks(document, protocol):
    expected = re.findall(
        r'^HOOK\(\w+, "(\w+)", (\d+), "([\d.]+)", (\d+), "([\d.]+)", "([a-z ]*)"\)',
        (protocol / "hooks.def").read_text(),
        re.MULTILINE,
    )
    table = [(row[0], row[3], row[4]) for row in rows(section(document, "Hooks"))]
    told = [(hook, f"{a} {b}", f"{c} {d}") for hook, a, b, c, d, _ in expected if hook != "disconnect"]
    check(table == told + [("disconnect", "", "")], f"the table of hooks differs from hooks.def: {table}")
    allowed = [(row[0], row[1].replace("`", "")) for row in rows(section(document, "Verdicts")) if len(row) == 4]
    told = [(hook, verdicts) for hook, _, _, _, _, verdicts in expected if verdicts]
    check(allowed == told, f"the verdicts of the hooks differ from hooks.def: {allowed}")


def check_verdicts(document, protocol):
    """The verdicts in order of severity, and the edits, as they are on the wire."""
    schema = json.loads((protocol / "schema" / "reply.json").read_text())
    table = [row[0] for row in rows(section(document, "Verdicts")) if len(row) == 3]
    verdicts = schema["properties"]["verdict"]["enum"]
    check(table[: len(verdicts)] == verdicts, f"the table of verdicts differs from reply.json: {table}")
    edits = schema["$defs"]["edit"]["properties"]["edit"]["enum"]
    check([row[0] for row in rows(section(document, "Edits"))] == edits, "the table of edits differs from reply.json")
    hello = json.loads((protocol / "examples" / "valid" / "hello-policy.json").read_text())
    check(hello["edits"] == edits, "hello has other edits than reply.json")
    known = set(schema["properties"]["keep"]["properties"])
    check(field_names(section(document, "keep")) == known, "the fields of keep differ from reply.json")


def check_events(document, protocol):
    schema = json.loads((protocol / "schema" / "event.json").read_text())
    expected = {}
    for branch in schema["allOf"]:
        data = branch["then"]["properties"]["data"]
        required = data["required"]
        expected[branch["if"]["properties"]["event"]["const"]] = [
            f"`{name}`" + ("" if name in required else "?") for name in data["properties"] if not name.endswith("_b64")
        ]
    table = {row[0]: [] if row[2] == "none" else row[2].split() for row in rows(section(document, "Events"))}
    check(list(table) == words(protocol / "events.def", "EVENT"), "the table of events has other rows than events.def")
    for event, fields in table.items():
        check(fields == expected.get(event), f"event {event}: the document has {fields}, the schema {expected.get(event)}")


def check_words(document, protocol):
    table = [row[0] for row in rows(section(document, "Disconnect reasons"))]
    check(table == words(protocol / "disconnect.def", "DISCONNECT"), "the disconnect reasons are not those of disconnect.def")
    table = [row[0] for row in rows(section(document, "Failures"))]
    check(table == words(protocol / "failures.def", "FAILURE"), "the failure classes are not those of failures.def")


def check_error_codes(document, protocol):
    """Every code that the decoders give is in the table."""
    table = {row[0] for row in rows(section(document, "error")) if len(row) == 4}
    source = (protocol / "handshake.c").read_text() + (protocol / "verdict_json.c").read_text()
    given = set(re.findall(r'fail\(\s*error,\s*"(\w+)"', source)) | {"bad_json", "bad_reply", "bad_message"}
    check(len(given) > 6, "no error codes found in the source")
    check(given <= table, f"error codes that the document does not have: {given - table}")


def check_links(document):
    anchors = {title.lower().replace(" ", "-").replace("`", "") for title in re.findall(r"^#+ (.*)$", document, re.MULTILINE)}
    for link in re.findall(r"\]\(#([^)]*)\)", document):
        check(link in anchors, f"the link #{link} leads nowhere")


def main():
    protocol = pathlib.Path(sys.argv[1]) / "protocol"
    document = (protocol / "PROTOCOL.md").read_text()
    check_examples(document, protocol)
    check_fields(document, protocol)
    check_hooks(document, protocol)
    check_verdicts(document, protocol)
    check_events(document, protocol)
    check_words(document, protocol)
    check_error_codes(document, protocol)
    check_links(document)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
