#!/usr/bin/env python3
"""Writes the tables of docs/configuration.md from config/schema.json.

  scripts/config-doc.py          writes them anew
  scripts/config-doc.py --check  changes nothing; ends with 1 when the document is not up to date
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = ROOT / "config/schema.json"
DOCUMENT = ROOT / "docs/configuration.md"
BEGIN = "<!-- written by scripts/config-doc.py from config/schema.json: change the schema, not the tables -->\n"
END = "<!-- end of what scripts/config-doc.py writes -->\n"


def follow(schema, node):
    if "$ref" not in node:
        return node
    target = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return target


def type_text(node):
    """A key's type with its range, for people."""
    kind = node["type"]
    if isinstance(kind, list):
        kind = " or ".join({"array": "list of strings"}.get(one, one) for one in kind)
    elif kind == "array":
        words = node["items"].get("enum")
        kind = "list of " + (", ".join(words) if words else node["items"]["type"] + "s")
    elif kind == "object":
        kind = "name: value, strings"
    elif "enum" in node:
        kind = ", ".join(node["enum"])
    if "minimum" in node:
        kind += f" {node['minimum']}..{node['maximum']}"
    return kind


def rows(schema, properties, path):
    """(key, node) of every key below `path` that is not a section."""
    for name, node in properties.items():
        node = follow(schema, node)
        key = f"{path}.{name}" if path else name
        items = node.get("items", {})
        if "properties" in node:
            yield from rows(schema, node["properties"], key)
        elif "properties" in items:
            yield from rows(schema, items["properties"], key + "[]")
        else:
            yield key, node


def collapse_modes(found):
    """The five modes have the same keys: one row stands for all."""
    seen = set()
    for key, node in found:
        for mode in ("Performance", "Balanced", "Efficiency", "Quiet", "UltraEfficiency"):
            key = key.replace(f"efficiency.modes.{mode}.", "efficiency.modes.MODE.")
        if key not in seen:
            seen.add(key)
            yield key, node


def cell(text):
    return text.replace("|", "\\|")


def table(found):
    out = ["| key | value | default | meaning |\n", "|---|---|---|---|\n"]
    for key, node in found:
        default = f"`{json.dumps(node['default'])}`" if "default" in node else ""
        meaning = node["description"]
        out.append(f"| `{cell(key)}` | {cell(type_text(node))} | {cell(default)} | {cell(meaning)} |\n")
    return "".join(out)


def tables():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    out = []
    for name, node in schema["properties"].items():
        found = list(collapse_modes(rows(schema, {name: node}, "")))
        out.append(f"\n## {name}\n\n{node['description']}\n\n{table(found)}")
    return "".join(out) + "\n"


def main():
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    before = DOCUMENT.read_text(encoding="utf-8")
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        sys.exit(f"config-doc.py: {DOCUMENT} lacks the two lines that the tables stand between")
    head, rest = before.split(BEGIN)
    after = head + BEGIN + tables() + END + rest.split(END)[1]
    if sys.argv[1:] == ["--check"]:
        if after != before:
            sys.exit("docs/configuration.md is not up to date: run scripts/config-doc.py")
        return
    DOCUMENT.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
