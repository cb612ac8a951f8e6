#!/usr/bin/env python3
"""Documents that repeat what the code says: routes, error codes, keys, names of files. They must say the same."""

import re
import subprocess
import sys
import unittest

import layering
import tree

API = "docs/api/http.md"


def read(path):
    return (tree.ROOT / path).read_text(encoding="utf-8")


def rows(text, heading):
    """Cells of the first table below a heading, without its two head lines."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE).group().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def routes_of_code():
    verbs = {"kGet": "GET", "kRead": "GET, HEAD", "kPost": "POST", "kDelete": "DELETE", "kHead | kPost": "HEAD, POST"}
    source = read("src/http/routes.cpp")
    found = re.findall(r'Route\{\s*"([^"]+)",\s*(true|false),\s*([\w |]+?),\s*\w+,\s*Permission::(\w+)', source)
    return {(path, verbs[verb], permission) for path, _, verb, permission in found}


class HttpApi(unittest.TestCase):
    def test_names_every_route_with_its_verbs_and_permission(self):
        documented = {(re.sub(r"\{\w+\}$", "", route.strip("`")), verbs, permission)
                      for route, verbs, permission, _ in rows(read(API), "Routes")}
        self.assertGreater(len(documented), 20)
        self.assertEqual(documented, routes_of_code())

    def test_names_every_error_code_with_its_status(self):
        codes = set(re.findall(r'return \{(\d{3}), "(\w+)"\}', read("src/codec/error_body.cpp")))
        self.assertGreater(len(codes), 20)
        self.assertEqual({(status, code.strip("`")) for status, code, _ in rows(read(API), "Errors")}, codes)

    def test_names_every_routing_header(self):
        hints = set(re.findall(r'HintHeader\{"([\w-]+)"', read("src/http/hints.cpp"))) | {"X-Request-ID"}
        self.assertEqual({header.strip("`") for header, *_ in rows(read(API), "Request headers")}, hints)


class Configuration(unittest.TestCase):
    def test_document_is_what_the_schema_says(self):
        result = subprocess.run([sys.executable, str(tree.ROOT / "scripts/config-doc.py"), "--check"],
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)


class Reload(unittest.TestCase):
    def test_names_every_key_that_needs_a_restart(self):
        table = re.search(r"kNeedRestart = [^{]*\{(.*?)\}\)", read("src/config/changes.cpp"), re.DOTALL).group(1)
        keys = re.findall(r'"([\w.]+)"', table)
        self.assertGreater(len(keys), 5)
        documented = rows(read("docs/guides/reload.md"), "Keys that need a restart")
        self.assertEqual([key.strip("`") for key, _ in documented], keys)


class Architecture(unittest.TestCase):
    def test_has_the_rooms_of_the_layering_check(self):
        documented = {}
        for room, _, reach in rows(read("docs/architecture.md"), "Rooms and doors"):
            documented[room.strip("`")] = set() if reach == "nothing of ours" else set(reach.split(", "))
        expected = {room: reach for room, reach in layering.ROOMS.items() if documented.keys() & {room}}
        expected["app"] = {"all"}
        self.assertEqual(documented, expected)
        self.assertEqual(layering.ROOMS.keys() - documented.keys(), set())


class Names(unittest.TestCase):
    def test_files_that_documents_name_exist(self):
        for path, text in tree.texts():
            if not (path.startswith("docs/") and path.endswith(".md")):
                continue
            for name in re.findall(r"`(\w[\w./-]*\.(?:hpp|cpp|py|sh|txt|yaml|json))`", text):
                bases = ("", "src/", "include/ollama_proxy/")
                with self.subTest(document=path, name=name):
                    self.assertTrue(any((tree.ROOT / base / name).is_file() for base in bases))


if __name__ == "__main__":
    unittest.main()
