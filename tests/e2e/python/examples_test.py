"""The examples of README.md and docs/api/, as they stand there, against the simulated backends. Only the ports are
changed. What a language needs and is not here skips the examples of that language."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from daemon import Daemon

ROOT = Path(__file__).parents[3]
DOCUMENTS = ["README.md", "docs/api/http.md", "docs/api/websocket.md", "docs/api/grpc.md"]
GO_TOOLS = ["google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6",
            "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1"]
GO_MODULES = ["google.golang.org/grpc@v1.71.0", "github.com/gorilla/websocket@v1.5.3"]
LIMIT_S = 60


def blocks(*languages):
    """(document, code) of each code block in one of these languages."""
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for language, code in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            if language in languages:
                yield document, code


def commands(code):
    """The commands of a transcript: behind each prompt, up to where its quotes are closed."""
    lines = code.splitlines()
    for i, line in enumerate(lines):
        if not line.startswith("$ "):
            continue
        command = line[2:]
        for more in lines[i + 1:]:
            if command.count("'") % 2 == 0 and not command.endswith("\\"):
                break
            command += "\n" + more
        yield command


def inline_command(document, start):
    """A command that stands in the text, over several lines there."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return " ".join(re.search(rf"`({re.escape(start)}[^`]*)`", text)[1].split())


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Daemon()
        cls.addClassCleanup(cls.daemon.stop)
        cls.daemon.until_ready()
        folder = tempfile.TemporaryDirectory(prefix="ollama-proxy-e2e-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        (cls.folder / "proto").symlink_to(ROOT / "proto")

    def here(self, code):
        """With the ports of this daemon."""
        address = self.daemon.url.removeprefix("http://")
        return code.replace("localhost:8080", f"localhost:{address.split(':')[1]}").replace(
            "localhost:50051", f"localhost:{self.daemon.grpc.split(':')[1]}")

    def run_example(self, document, command, code, **options):
        typing, typed = os.pipe()  # somebody who types nothing, but has not left
        self.addCleanup(os.close, typing)
        self.addCleanup(os.close, typed)
        environment = {**os.environ, "OLLAMA_HOST": self.here("localhost:8080"), **options.pop("env", {})}
        result = subprocess.run(command, cwd=self.folder, env=environment, text=True, capture_output=True,
                                timeout=LIMIT_S, stdin=typing, check=False, **options)
        said = f"{document}:\n{code}\nended with {result.returncode} and wrote\n{result.stdout}\n{result.stderr}"
        self.assertEqual(result.returncode, 0, said)
        self.assertNotEqual(result.stdout.strip(), "", said)
        return result.stdout

    def test_python(self):
        protoc = inline_command("docs/api/grpc.md", "python -m grpc_tools.protoc")
        subprocess.run([sys.executable, *protoc.split()[1:]], cwd=self.folder, check=True)
        ran = 0
        for document, code in blocks("python"):
            with self.subTest(document=document):
                file = self.folder / "example.py"
                file.write_text(self.here(code), encoding="utf-8")
                self.run_example(document, [sys.executable, str(file)], code)
                ran += 1
        self.assertGreaterEqual(ran, 5)

    def test_javascript(self):
        modules = ROOT / "tests/e2e/node_modules"
        if subprocess.run([ROOT / "tests/e2e/run_node.sh", "--install"], check=False).returncode != 0:
            self.skipTest("Node.js or its packages are not to be had")
        ran = 0
        with tempfile.TemporaryDirectory(prefix=".examples-", dir=modules) as beside_the_packages:
            for document, code in blocks("js"):
                with self.subTest(document=document):
                    file = Path(beside_the_packages, "example.mjs")
                    file.write_text(self.here(code), encoding="utf-8")
                    self.run_example(document, ["node", str(file)], code)
                    ran += 1
        self.assertGreaterEqual(ran, 4)

    def test_shell(self):
        tools = {"grpcurl": [str(p) for p in Path(os.environ.get("E2E_TOOLS", "/nowhere")).glob("grpcurl")],
                 "npx": [str(ROOT / "tests/e2e/node_modules/.bin")] if shutil.which("npx") else [],
                 "curl": [shutil.which("curl")] if shutil.which("curl") else []}
        path = ":".join([str(Path(p).parent if Path(p).is_file() else p) for places in tools.values() for p in places]
                        + [os.environ["PATH"]])
        found = 0
        for document, code in blocks("console"):
            for command in commands(code):
                name = command.split()[0]
                if name not in tools:
                    self.assertTrue(command.startswith("./scripts/run.sh"), f"nobody runs this: {command}")
                    continue
                found += 1
                with self.subTest(document=document, command=command):
                    if not tools[name]:
                        self.skipTest(f"{name} is not installed")
                    command = self.here(command.replace("npx wscat", "wscat"))
                    said = self.run_example(document, ["bash", "-c", command], command, env={"PATH": path})
                    # an error where the document shows none has an object of its own
                    self.assertEqual('"error":{' in said, '"error":{' in code, said)
        self.assertGreaterEqual(found, 8)

    def test_go(self):
        if not (shutil.which("go") and shutil.which("protoc")):
            self.skipTest("Go or protoc is not installed")
        module = self.folder / "app"
        module.mkdir()
        (module / "proto").symlink_to(ROOT / "proto")
        tools = Path(os.environ.get("E2E_TOOLS", self.folder))
        environment = {**os.environ, "GOBIN": str(tools), "GOFLAGS": "-mod=mod",
                       "PATH": f"{tools}:{os.environ['PATH']}"}

        def run(*command):
            return subprocess.run(command, cwd=module, env=environment, capture_output=True, text=True, check=False)

        run("go", "mod", "init", "example.org/app")
        fetched = [run("go", "install", tool) for tool in GO_TOOLS] + [run("go", "get", *GO_MODULES)]
        if any(result.returncode for result in fetched):
            self.skipTest("the modules cannot be had: " + " ".join(result.stderr for result in fetched))
        made = run(*inline_command("docs/api/grpc.md", "protoc -Iproto").split())
        self.assertEqual(made.returncode, 0, made.stderr)
        programs = []
        for document, code in blocks("go"):
            program = module / Path(document).stem
            program.mkdir()
            (program / "main.go").write_text(self.here(code), encoding="utf-8")
            programs.append((document, code, program.name))
        self.assertEqual(len(programs), 3)
        built = run("go", "build", "-o", "./bin/", *(f"./{name}" for *_, name in programs))
        self.assertEqual(built.returncode, 0, built.stderr)
        for document, code, name in programs:
            with self.subTest(document=document):
                self.run_example(document, [str(module / "bin" / name)], code)


if __name__ == "__main__":
    unittest.main()
