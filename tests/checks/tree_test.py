#!/usr/bin/env python3
"""What a reader and a stranger's machine need of the tree: commands that exist, links that lead somewhere, no paths of
one machine, scripts that parse."""

import os
import re
import shutil
import subprocess
import unittest

import tree

SHELL_BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
# Spelt in two halves, so that this file does not name what it forbids.
ONE_MACHINE = re.compile("(?<![\\w.$}~/-])/(?:" + "|".join(["wo" "rk", "ro" "ot", "ho" "me/(?!me/|user/)\\w+", "Us" "ers/\\w+"]) + ")/"
                         "|\\.\\./sha" "red")


def markdown():
    return [(path, text) for path, text in tree.texts() if path.endswith(".md")]


def shell_commands(text):
    """The commands of a document's shell blocks, prompts, comments and printed output left away."""
    for block in SHELL_BLOCK.findall(text):
        lines = block.replace("\\\n", " ").splitlines()
        if any(line.startswith("$ ") for line in lines):
            lines = [line[2:] for line in lines if line.startswith("$ ")]
        for line in lines:
            line = line.split(" #")[0].strip()
            if line and not line.startswith("#"):
                yield line


class Documents(unittest.TestCase):
    def test_there_is_a_readme(self):
        self.assertTrue((tree.ROOT / "README.md").is_file())

    def test_scripts_that_documents_name_exist_with_their_flags(self):
        for path, text in markdown():
            for command in shell_commands(text):
                for script, rest in re.findall(r"(?<![\w/])(?:\./)?((?:scripts|tests)/[\w./-]+\.(?:sh|py))([^|&;]*)", command):
                    with self.subTest(document=path, command=command):
                        self.assertTrue(os.access(tree.ROOT / script, os.X_OK), f"{script} is not an executable file")
                        usage = (tree.ROOT / script).read_text(encoding="utf-8")
                        for flag in re.findall(r"(?<=\s)--[a-z][a-z-]+", rest):
                            if script != "scripts/run.sh":  # hands its arguments on
                                self.assertIn(flag, usage)

    def test_commands_of_the_binary_that_documents_name_exist(self):
        binary = os.environ.get("OLLAMA_PROXY_BINARY")
        if not binary:
            self.skipTest("needs the daemon: set OLLAMA_PROXY_BINARY")
        usage = subprocess.run([binary, "--help"], check=True, capture_output=True, text=True, timeout=20).stdout
        for path, text in markdown():
            for command in shell_commands(text):
                for name in re.findall(r"(?:^|/|\s)ollama-proxy ([a-z][a-z-]+)\b", command):
                    with self.subTest(document=path, command=command):
                        self.assertRegex(usage, rf"(?m)^\s*{re.escape(name)}\b")

    def test_links_between_documents_lead_somewhere(self):
        for path, text in markdown():
            for target in LINK.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
                if not re.match(r"[a-z]+:", target):
                    with self.subTest(document=path, link=target):
                        self.assertTrue((tree.ROOT / path).parent.joinpath(target).exists())


class Files(unittest.TestCase):
    def test_no_file_names_a_path_of_one_machine(self):
        own = str(tree.ROOT) + "/"
        found = [f"{path}:{number}: {line.strip()[:120]}"
                 for path, text in tree.texts()
                 for number, line in enumerate(text.splitlines(), 1)
                 if ONE_MACHINE.search(line) or (len(own) > 5 and own in line)]
        self.assertFalse(found, "\n" + "\n".join(found))

    def test_the_lock_file_names_no_registry(self):
        lock = (tree.ROOT / "tests/e2e/package-lock.json").read_text(encoding="utf-8")
        self.assertNotIn('"resolved"', lock)


class ShellScripts(unittest.TestCase):
    def setUp(self):
        self.scripts = [path for path, text in tree.texts() if re.match(r"#!.*\b(ba)?sh\b", text) or path.endswith(".sh")]
        self.assertGreater(len(self.scripts), 3)

    def test_they_parse(self):
        for path in self.scripts:
            with self.subTest(script=path):
                result = subprocess.run(["bash", "-n", str(tree.ROOT / path)], capture_output=True, text=True)
                self.assertEqual(result.returncode, 0, result.stderr)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_shellcheck_has_nothing_to_say(self):
        result = subprocess.run(["shellcheck", *self.scripts], cwd=tree.ROOT, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
