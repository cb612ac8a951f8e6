#!/usr/bin/env python3
"""Holds the tree to its rooms, and shows that the check sees what it should see."""

import tempfile
import unittest
from pathlib import Path

import tree
from layering import shape_violations, violations


class ThisTree(unittest.TestCase):
    def test_includes_follow_the_table_of_rooms(self):
        found = violations(tree.ROOT)
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_has_only_the_agreed_entries_and_no_lumber_rooms(self):
        found = shape_violations(tree.files())
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_has_sources_to_check(self):
        self.assertTrue(any(path.startswith("src/codec/") for path in tree.files()))


class BrokenSamples(unittest.TestCase):
    """Each sample is a small tree with one fault; the check has to name it."""

    def check(self, files):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            return violations(folder)

    def assert_names(self, files, words):
        found = self.check(files)
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_a_tree_that_keeps_the_rules_passes(self):
        self.assertEqual([], self.check({
            "include/ollama_proxy/common/error.hpp": "#include <string>\n",
            "include/ollama_proxy/router/router.hpp": '#include "ollama_proxy/common/error.hpp"\n',
            "include/ollama_proxy/upstream/exchange.hpp": "#include <memory>\n",
            "src/router/router.cpp": '#include "ollama_proxy/upstream/exchange.hpp"\n',
            "src/http/session.cpp": '#include "ollama_proxy/router/router.hpp"\n#include <boost/beast/http.hpp>\n',
        }))

    def test_an_include_upwards(self):
        self.assert_names({
            "include/ollama_proxy/router/router.hpp": "",
            "src/codec/head.cpp": '#include "ollama_proxy/router/router.hpp"\n',
        }, "room codec must not reach room router")

    def test_an_adaptor_that_includes_upstream(self):
        self.assert_names({
            "include/ollama_proxy/upstream/exchange.hpp": "",
            "src/http/session.cpp": '# include  "ollama_proxy/upstream/exchange.hpp"\n',
        }, "room http must not reach room upstream")

    def test_an_adaptor_that_reaches_upstream_through_two_doors(self):
        found = self.check({
            "include/ollama_proxy/upstream/exchange.hpp": "",
            "include/ollama_proxy/router/stream.hpp": '#include "ollama_proxy/upstream/exchange.hpp"\n',
            "include/ollama_proxy/router/router.hpp": '#include "ollama_proxy/router/stream.hpp"\n',
            "src/http/session.cpp": '#include "ollama_proxy/router/router.hpp"\n',
        })
        self.assertTrue(any("src/http/session.cpp: room http must not reach room upstream" in line for line in found), found)
        self.assertTrue(any("a door of router must not include a door of upstream" in line for line in found), found)

    def test_adaptors_that_include_each_other(self):
        self.assert_names({
            "include/ollama_proxy/http/server.hpp": "",
            "src/grpc/service.cpp": '#include "ollama_proxy/http/server.hpp"\n',
        }, "room grpc must not reach room http")

    def test_a_private_header_of_another_room(self):
        self.assert_names({
            "src/router/scorers.hpp": "",
            "src/http/session.cpp": '#include "router/scorers.hpp"\n',
        }, "private to room router")

    def test_a_door_that_includes_a_private_header(self):
        self.assert_names({
            "src/router/scorers.hpp": "",
            "include/ollama_proxy/router/router.hpp": '#include "router/scorers.hpp"\n',
        }, "a door includes the private header")

    def test_third_party_in_the_wrong_room(self):
        for header, room in (("boost/beast/http.hpp", "router"), ("grpcpp/grpcpp.h", "http"),
                             ("sdbus-c++/sdbus-c++.h", "monitors"), ("yaml-cpp/yaml.h", "app")):
            with self.subTest(header=header):
                self.assert_names({f"src/{room}/part.cpp": f"#include <{header}>\n"}, f"<{header}> belongs in")

    def test_asio_in_a_pure_room(self):
        self.assert_names({"src/codec/part.cpp": "#include <boost/asio/io_context.hpp>\n"}, "which is pure")

    def test_a_heavy_header_in_a_door(self):
        self.assert_names({"include/ollama_proxy/http/server.hpp": "#include <boost/beast/core.hpp>\n"}, "in a door")

    def test_an_unknown_room(self):
        self.assert_names({"src/widgets/part.cpp": ""}, "'widgets' is not a room")

    def test_an_include_of_nothing(self):
        self.assert_names({"src/http/part.cpp": '#include "http/gone.hpp"\n'}, "is no file of this tree")

    def test_lumber_rooms_and_strangers_at_the_top(self):
        found = shape_violations(["src/http/utils/text.cpp", "src/router/helpers.hpp", "STATUS.md", "README.md"])
        self.assertEqual(len(found), 3, found)


if __name__ == "__main__":
    unittest.main()
