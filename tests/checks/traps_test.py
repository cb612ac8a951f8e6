#!/usr/bin/env python3
"""Mistakes of docs/traps.md that compile without a warning and that a pattern can see."""

import re
import unittest

import tree

# gcc 12 evaluates the co_await whether or not what stands before && or || says so
AWAIT_BEHIND_LOGIC = re.compile(r"\bwhile\s*\([^;{]*(?:&&|\|\|)[^;{]*\bco_await\b")
CODE = re.compile(r"^(?:src|include|tests)/.*\.[ch]pp$")


def traps(text):
    """Line numbers where a loop's condition awaits behind a logical operator."""
    return [text.count("\n", 0, match.start()) + 1 for match in AWAIT_BEHIND_LOGIC.finditer(text)]


class Traps(unittest.TestCase):
    def test_no_loop_awaits_behind_a_logical_operator(self):
        checked = 0
        for path, text in tree.texts():
            if CODE.match(path):
                checked += 1
                with self.subTest(file=path):
                    self.assertEqual(traps(text), [])
        self.assertGreater(checked, 100)

    def test_the_pattern_sees_what_it_is_for(self):
        self.assertEqual(traps("\nwhile (keep && co_await read(head)) {}"), [2])
        self.assertEqual(traps("while (!gone ||\n       !co_await read()) {"), [1])
        self.assertEqual(traps("while (co_await read(head)) {}"), [])
        self.assertEqual(traps("while (keep && more) { co_await read(); }"), [])


if __name__ == "__main__":
    unittest.main()
