#!/usr/bin/env python3
"""The two zips: what is in them, and that each is of its generation. The argument is the build folder."""

import gettext
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[3]
EXTENSION = ROOT / "gnome-extension"
BUILD = Path(sys.argv.pop()) if len(sys.argv) > 1 else None


def packed(shell):
    """{name: bytes} of the zip for a version of the shell."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "extension.zip")
        subprocess.run([sys.executable, str(EXTENSION / "pack.py"), "--shell", shell, "--zip", str(file)], check=True,
                       timeout=60)
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


class Package(unittest.TestCase):
    def setUp(self):
        for program in ("glib-compile-schemas", "msgfmt"):
            if not shutil.which(program):
                self.skipTest(f"no {program} (scripts/install-deps.sh test)")

    def test_has_what_the_shell_loads(self):
        for shell in ("43", "48"):
            files = packed(shell)
            with self.subTest(shell=shell):
                for name in ("metadata.json", "extension.js", "prefs.js", "stylesheet.css", "LICENSE", "lib/tile.js",
                             "schemas/ie.fio.ollamaproxy.gschema.xml",
                             "locale/de/LC_MESSAGES/ollamaproxy@anthropic.com.mo"):
                    self.assertIn(name, files)
                metadata = json.loads(files["metadata.json"])
                self.assertIn(shell, metadata["shell-version"])
                self.assertEqual("schemas/gschemas.compiled" in files, shell == "43")
                self.assertFalse([name for name in files if not re.search(r"\.(js|json|css|svg|xml|mo|compiled)$|LICENSE", name)])

    def test_icons_that_the_modes_name_are_there(self):
        files = packed("48")
        named = set(re.findall(r"'(ollamaproxy-[a-z]+-symbolic)'", files["lib/modes.js"].decode()))
        self.assertEqual({f"icons/{name}.svg" for name in named}, {name for name in files if name.startswith("icons/")})

    def test_the_older_one_has_no_modules_and_the_newer_one_nothing_else(self):
        for name, text in packed("43").items():
            if name.endswith(".js"):
                self.assertIsNone(re.search(rb"^\s*(import|export)\b", text, re.MULTILINE), name)
        for name, text in packed("48").items():
            if name.endswith(".js"):
                self.assertNotIn(b"imports.", text, name)

    def test_is_the_same_whenever_it_is_made(self):
        self.assertEqual(packed("45"), packed("48"))

    def test_speaks_german(self):
        catalogue = packed("48")["locale/de/LC_MESSAGES/ollamaproxy@anthropic.com.mo"]
        german = gettext.GNUTranslations(io.BytesIO(catalogue)).gettext
        self.assertEqual([german("Ultra Efficiency"), german("battery at %s %")], ["Äußerst sparsam", "Akku bei %s %"])

    def test_a_shell_too_old_is_refused(self):
        result = subprocess.run([sys.executable, str(EXTENSION / "pack.py"), "--shell", "42.9", "--into", "nowhere"],
                                capture_output=True, text=True, timeout=60)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("43 is the first", result.stderr)

    @unittest.skipUnless(BUILD, "needs a build folder")
    def test_the_target_builds_both(self):
        shutil.rmtree(BUILD / "gnome", ignore_errors=True)
        subprocess.run(["cmake", "--build", str(BUILD), "--target", "gnome-extension"], check=True, timeout=90,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(sorted(path.name for path in (BUILD / "gnome").iterdir()),
                         ["ollamaproxy@anthropic.com-shell-43-44.zip", "ollamaproxy@anthropic.com-shell-45.zip"])


class Guide(unittest.TestCase):
    GUIDE = ROOT / "docs/guides/gnome.md"

    def test_has_every_setting_with_its_default(self):
        keys = {key.get("name"): key.findtext("default").strip("'")
                for key in ElementTree.parse(EXTENSION / "schemas/ie.fio.ollamaproxy.gschema.xml").iter("key")}
        self.assertEqual(len(keys), 11)
        self.assertEqual(dict(re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", self.GUIDE.read_text(encoding="utf-8"),
                                         re.MULTILINE)), keys)

    def test_its_pictures_are_small(self):
        pictures = list((self.GUIDE.parent / "pictures").glob("gnome-*.png"))
        self.assertGreaterEqual(len(pictures), 4)
        self.assertLessEqual(sum(picture.stat().st_size for picture in pictures), 300_000)


class Texts(unittest.TestCase):
    def test_are_all_in_the_template_and_translated(self):
        texts = {json.loads(f'"{text}"') for source in (*EXTENSION.glob("lib/*.js"), *EXTENSION.glob("*/extension.js"))
                 for text in re.findall(r"\b(?:_|N_)\('([^']*)'\)", source.read_text(encoding="utf-8"))}
        self.assertGreater(len(texts), 30)
        for file in (EXTENSION / "po").iterdir():
            if file.suffix in (".po", ".pot"):
                entries = dict(re.findall(r'^msgid "(.+)"\nmsgstr "(.*)"$', file.read_text(encoding="utf-8"),
                                          re.MULTILINE))
                with self.subTest(file=file.name):
                    self.assertEqual(set(entries), texts)
                    for text, translation in entries.items():
                        if file.suffix == ".po":
                            self.assertTrue(translation, text)
                            self.assertEqual(text.count("%s"), translation.count("%s"), text)

    def test_every_language_is_listed(self):
        listed = (EXTENSION / "po/LINGUAS").read_text(encoding="utf-8").split()
        self.assertEqual(sorted(listed), sorted(path.stem for path in (EXTENSION / "po").glob("*.po")))


if __name__ == "__main__":
    unittest.main()
