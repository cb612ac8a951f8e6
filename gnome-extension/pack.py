#!/usr/bin/env python3
"""Puts the extension together for one generation of GNOME Shell.

  pack.py --shell VERSION --into FOLDER    as it lies below ~/.local/share/gnome-shell/extensions
  pack.py --shell VERSION --zip FILE       as extensions.gnome.org takes it

VERSION is that of GNOME Shell, 43 or later. Shell 43 and 44 load scripts, 45 and later ES modules: what is shared is
written once, as modules, and its import and export lines are rewritten for the older ones. Needs glib-compile-schemas
for 43 and 44, and with --into; without msgfmt the extension speaks English only, which is said.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Tested in 43 and 48; what it uses of the shell is the same in the sources up to 50.
GENERATIONS = {"legacy": ["43", "44"], "esm": ["45", "46", "47", "48", "49", "50"]}
SHELL_MODULES = "resource:///org/gnome/shell/"
IMPORT = re.compile(r"^import (?:\* as )?(\w+|\{[^}]*\}) from '([^']+)';$", re.MULTILINE)
EXPORT = re.compile(r"^export (const|function|class) (\w+)", re.MULTILINE)


def generation(version):
    """Which build a version of the shell needs; None where there is none."""
    number = int(re.match(r"\d+", version)[0])
    return None if number < 43 else "legacy" if number < 45 else "esm"


def old_import(match):
    """imports.* in place of an ES import."""
    names, source = match.groups()
    names = re.sub(r"\s+", " ", names)
    if source.startswith("gi://"):
        return f"const {names} = imports.gi.{source.removeprefix('gi://')};"
    if source.startswith(SHELL_MODULES):
        path = source.removeprefix(SHELL_MODULES).removesuffix(".js").replace("/", ".")
        return f"const {names} = imports.{path};"
    if source.startswith("./"):
        module = source.removeprefix("./").removesuffix(".js")
        return f"const {names} = imports.misc.extensionUtils.getCurrentExtension().imports.lib.{module};"
    raise SystemExit(f"pack.py: no older form of an import from {source} is known")


def old_export(match):
    """Only functions and `var` of a script can be seen from others."""
    kind, name = match.groups()
    return {"const": f"var {name}", "function": f"function {name}", "class": f"var {name} = class {name}"}[kind]


def as_script(module):
    """The text of an ES module as a script for GNOME Shell 43 and 44."""
    script = EXPORT.sub(old_export, IMPORT.sub(old_import, module))
    left = re.search(r"^(import|export)\b.*", script, re.MULTILINE)
    if left:
        raise SystemExit(f"pack.py: no older form is known of: {left[0]}")
    return script


def translations(folder):
    """Catalogues for every language of po/LINGUAS."""
    if not shutil.which("msgfmt"):
        print("pack.py: msgfmt is missing (package gettext): the extension will speak English only", file=sys.stderr)
        return
    domain = json.loads((HERE / "metadata.json").read_text(encoding="utf-8"))["gettext-domain"]
    for language in (HERE / "po/LINGUAS").read_text(encoding="utf-8").split():
        target = folder / "locale" / language / "LC_MESSAGES"
        target.mkdir(parents=True)
        subprocess.run(["msgfmt", "-o", str(target / f"{domain}.mo"), str(HERE / f"po/{language}.po")], check=True)


def assemble(kind, folder, compile_schemas, version=None):
    """The files of one build, below `folder`; `version` is one more shell that it says it is for."""
    folder.mkdir(parents=True)
    metadata = json.loads((HERE / "metadata.json").read_text(encoding="utf-8"))
    metadata["shell-version"] = list(GENERATIONS[kind])
    if version and version not in GENERATIONS[kind]:
        metadata["shell-version"].append(version)
    (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n", encoding="utf-8")
    for source in sorted((HERE / kind).glob("*.js")):
        shutil.copyfile(source, folder / source.name)
    (folder / "lib").mkdir()
    for source in sorted((HERE / "lib").glob("*.js")):
        text = source.read_text(encoding="utf-8")
        (folder / "lib" / source.name).write_text(as_script(text) if kind == "legacy" else text, encoding="utf-8")
    for name in ("icons", "schemas"):
        shutil.copytree(HERE / name, folder / name)
    shutil.copyfile(HERE / "stylesheet.css", folder / "stylesheet.css")
    shutil.copyfile(HERE.parent / "LICENSE", folder / "LICENSE")
    translations(folder)
    if compile_schemas:
        subprocess.run(["glib-compile-schemas", "--strict", str(folder / "schemas")], check=True)


def write_zip(folder, file):
    """The same bytes for the same files, whenever it is made."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(str(path.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shell", required=True, metavar="VERSION")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--into", type=Path, metavar="FOLDER")
    where.add_argument("--zip", type=Path, metavar="FILE")
    wish = parser.parse_args()
    kind = generation(wish.shell)
    if not kind:
        sys.exit(f"pack.py: GNOME Shell {wish.shell} is too old, 43 is the first that this extension knows")
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch, "extension")
        if wish.zip:
            # 44 and later compile the schema of what they install from a zip themselves
            assemble(kind, fresh, compile_schemas=kind == "legacy")
            wish.zip.parent.mkdir(parents=True, exist_ok=True)
            write_zip(fresh, wish.zip)
        else:
            # a shell that is newer than this file would refuse what does not name it
            assemble(kind, fresh, compile_schemas=True, version=re.match(r"\d+", wish.shell)[0])
            shutil.rmtree(wish.into, ignore_errors=True)
            shutil.copytree(fresh, wish.into)


if __name__ == "__main__":
    os.umask(0o022)
    main()
