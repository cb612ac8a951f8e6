"""The table of rooms (docs/architecture.md) as data, and a reader of `#include` lines that holds the tree to it."""

import re
from pathlib import Path

ADAPTOR = {"common", "runtime", "codec", "config", "telemetry", "access", "router", "monitors", "efficiency"}

# room -> rooms whose doors it may reach, directly or through another door
ROOMS = {
    "common": set(),
    "runtime": {"common"},
    "codec": {"common"},
    "config": {"common"},
    "telemetry": {"common", "config"},
    "access": {"common", "config"},
    "monitors": {"common", "runtime", "config", "telemetry"},
    "upstream": {"common", "runtime", "codec", "config", "telemetry"},
    "efficiency": {"common", "runtime", "config", "telemetry", "monitors"},
    "router": {"common", "runtime", "codec", "config", "telemetry", "upstream", "monitors", "efficiency"},
    "http": ADAPTOR,
    "grpc": ADAPTOR,
    "dbus": ADAPTOR,
    "demo": {"common", "runtime", "codec"},
}
ROOMS["app"] = set(ROOMS)

# A room may know a door in its .cpp files and yet not hand it on: what a router door includes, adaptors include too.
NOT_IN_DOORS = {"router": {"upstream"}}

# third party header -> rooms that may include it
THIRD_PARTY = [
    (r"boost/beast(/|\.)", {"http", "upstream", "demo"}),
    (r"(grpc|grpcpp|google/protobuf)/|.*\.pb\.h$", {"grpc"}),
    (r"sdbus-c\+\+/", {"dbus"}),
    (r"yaml-cpp/", {"config"}),
]
# Rooms of pure functions on bytes and values: nothing of sockets, event loops or threads.
PURE_ROOMS = {"codec", "config", "common"}
IMPURE = r"boost/asio(/|\.)|boost/beast(/|\.)|sys/(socket|epoll)\.h$|(thread|future|condition_variable)$"
# Too heavy for a header that everybody includes.
NOT_IN_ANY_DOOR = r"boost/beast(/|\.)|boost/asio\.hpp$|nlohmann/json\.hpp$|simdjson\.h$|yaml-cpp/|grpcpp/|sdbus-c\+\+/"

GENERATED = {"version.hpp"}
ROOT_ENTRIES = {
    "CMakeLists.txt", "CMakePresets.json", "cmake", "proto", "include", "src", "config", "systemd",
    "gnome-extension", "scripts", "tests", "docs", "README.md", "LICENSE",
    ".ci", ".clang-format", ".clang-tidy", ".editorconfig", ".gitignore", ".gitattributes", ".shellcheckrc",
}
LUMBER_ROOMS = {"util", "utils", "helper", "helpers", "misc", "lib", "core"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)
SOURCE_SUFFIXES = {".hpp", ".h", ".cpp", ".cc", ".ipp"}


class Tree:
    """The C++ sources below `root`, and what each of them includes."""

    def __init__(self, root):
        self.root = Path(root)
        self.doors = self.root / "include" / "ollama_proxy"
        self.includes = {}
        for top in (self.doors, self.root / "src"):
            for path in sorted(top.rglob("*")):
                if path.suffix in SOURCE_SUFFIXES:
                    self.includes[path] = INCLUDE.findall(path.read_text(encoding="utf-8"))

    def room_of(self, path):
        for top in (self.doors, self.root / "src"):
            if path.is_relative_to(top):
                return path.relative_to(top).parts[0]
        raise ValueError(path)

    def is_door(self, path):
        return path.is_relative_to(self.doors)

    def resolve(self, includer, name):
        """The file of the tree that an include means, or None where it means none."""
        for base in (includer.parent, self.root / "src", self.root / "include"):
            candidate = (base / name).resolve()
            if candidate in self.includes:
                return candidate
        return None

    def doors_reached(self, path):
        """{door: the chain of files from `path` to it} over all files of the tree that it includes."""
        chains, pending = {}, [(path, [path])]
        seen = {path}
        while pending:
            current, chain = pending.pop()
            for _, name in self.includes[current]:
                target = self.resolve(current, name)
                if target is None or target in seen:
                    continue
                seen.add(target)
                if self.is_door(target):
                    chains[target] = chain + [target]
                pending.append((target, chain + [target]))
        return chains


def violations(root):
    """Every breach below `root`, one readable line each."""
    tree = Tree(Path(root).resolve())
    found = []

    def report(path, text):
        found.append(f"{path.relative_to(tree.root)}: {text}")

    for path in tree.includes:
        room = tree.room_of(path)
        if path.parent in (tree.doors, tree.root / "src") or room not in ROOMS:
            report(path, f"'{room}' is not a room")
            continue
        if tree.is_door(path) and path.suffix != ".hpp":
            report(path, "only headers (.hpp) are doors")
        allowed = ROOMS[room] | {room}
        for kind, name in tree.includes[path]:
            target = tree.resolve(path, name)
            if target is None:
                if kind == '"' and name not in GENERATED and not name.endswith(".pb.h"):
                    report(path, f'"{name}" is no file of this tree')
                check_third_party(report, tree, path, room, name)
            elif tree.room_of(target) != room and not tree.is_door(target):
                report(path, f'"{name}" is private to room {tree.room_of(target)}: only its doors may be included')
            elif tree.is_door(path) and not tree.is_door(target):
                report(path, f'a door includes the private header "{name}"')
        for door, chain in tree.doors_reached(path).items():
            reached = tree.room_of(door)
            through = " -> ".join(str(step.relative_to(tree.root)) for step in chain[1:])
            if reached not in allowed:
                report(path, f"room {room} must not reach room {reached} (through {through})")
            elif tree.is_door(path) and reached in NOT_IN_DOORS.get(room, ()):
                report(path, f"a door of {room} must not include a door of {reached} (through {through})")
    return found


def check_third_party(report, tree, path, room, name):
    for pattern, rooms in THIRD_PARTY:
        if re.match(pattern, name) and room not in rooms:
            report(path, f"<{name}> belongs in {', '.join(sorted(rooms))} only")
    if room in PURE_ROOMS and re.match(IMPURE, name):
        report(path, f"<{name}> in room {room}, which is pure")
    if tree.is_door(path) and re.match(NOT_IN_ANY_DOOR, name):
        report(path, f"<{name}> in a door: everybody who includes it pays for it")


def shape_violations(paths):
    """What is wrong with the names of a tree's files, given as paths relative to its top."""
    found = []
    for entry in sorted({path.split("/")[0] for path in paths} - ROOT_ENTRIES):
        found.append(f"{entry}: not one of the agreed entries at the top level")
    for path in sorted(paths):
        parts = path.split("/")
        if parts[0] in {"src", "include"}:
            lumber = LUMBER_ROOMS & set(parts[:-1])
            if lumber or Path(path).stem in LUMBER_ROOMS:
                found.append(f"{path}: a name that says nothing about what is in it")
    return found
