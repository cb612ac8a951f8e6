"""A desktop to test on: a headless GNOME Shell, drawn by the processor, on buses of its own."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TESTS / "dbus"))
from desk import PARTS, Bus, eventually  # noqa: E402  pylint: disable=wrong-import-position

TREE = TESTS.parent
UUID = "ollamaproxy@anthropic.com"
DRIVER = "driver@ollama-proxy.test"
PATIENCE_S = 60
SHELL_PATIENCE_S = 150
SCREEN = (1280, 800)
# A folder with another distribution, whose shell is tested instead of ours; this tree's files are seen there too.
ROOT = os.environ.get("GNOME_TEST_ROOT", "")


def inside(command, folder):
    """`command` as it runs where the shell is: here, or in ROOT with `folder` at the same place."""
    return [str(Path(__file__).parent / "in-root.sh"), ROOT, folder, *command] if ROOT else command


def shell_version():
    """Of the shell under test, or None where there is none."""
    command = ["chroot", ROOT] if ROOT else []
    try:
        text = subprocess.run([*command, "gnome-shell", "--version"], capture_output=True, text=True, timeout=60,
                              check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return re.search(r"\d+(\.\d+)*", text)[0]


class Desktop:
    """Starts the shell; `environment` is what programs of the session get."""

    def __init__(self, version, language="C.UTF-8"):
        self.processes = []
        self.folder = tempfile.mkdtemp(prefix="ollama-proxy-gnome-")
        self.version = version
        for name in ("home", "run", "config", "data", "cache"):
            Path(self.folder, name).mkdir(mode=0o700)
        self.started = Path(self.folder, "started")
        self._let_the_bus_start_daemons()
        self.system = Bus("system", self.folder)
        self.environment = {
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            "HOME": f"{self.folder}/home", "XDG_RUNTIME_DIR": f"{self.folder}/run",
            "XDG_CONFIG_HOME": f"{self.folder}/config", "XDG_DATA_HOME": f"{self.folder}/data",
            "XDG_CACHE_HOME": f"{self.folder}/cache", "XDG_CURRENT_DESKTOP": "GNOME", "XDG_SESSION_TYPE": "wayland",
            "DBUS_SESSION_BUS_ADDRESS": self.session.address, "DBUS_SYSTEM_BUS_ADDRESS": self.system.address,
            "GSETTINGS_BACKEND": "keyfile", "LIBGL_ALWAYS_SOFTWARE": "1", "GALLIUM_DRIVER": "llvmpipe",
            "LP_NUM_THREADS": "2", "NO_AT_BRIDGE": "1", "GTK_A11Y": "none", "GIO_USE_VFS": "local",
            "LANG": "C.UTF-8", "LANGUAGE": language, "TZ": "UTC",
        }
        self._mock_the_system()
        self._install()
        self.connection = self.session.connect()
        self.log_path = Path(self.folder, "shell.log")
        self._start_shell()

    def _let_the_bus_start_daemons(self):
        """As on a desktop where the integration is installed; here a start only leaves a file behind."""
        services = Path(self.folder, "data/dbus-1/services")
        services.mkdir(parents=True)
        for part in PARTS:
            name = f"ie.fio.OllamaProxy.{part}"
            (services / f"{name}.service").write_text(f"[D-BUS Service]\nName={name}\nExec=/usr/bin/touch {self.started}\n",
                                                      encoding="ascii")
        before = os.environ.get("XDG_DATA_HOME")
        os.environ["XDG_DATA_HOME"] = f"{self.folder}/data"
        try:
            self.session = Bus("session", self.folder)
        finally:
            del os.environ["XDG_DATA_HOME"]
            if before is not None:
                os.environ["XDG_DATA_HOME"] = before

    def _mock_the_system(self):
        log = open(f"{self.folder}/mocks.log", "wb")  # pylint: disable=consider-using-with
        for template in ("logind", "upower"):
            self.processes.append(subprocess.Popen(
                ["/usr/bin/python3", "-m", "dbusmock", "--system", "--template", template],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        log.close()

    def _install(self):
        extensions = Path(self.folder, "data/gnome-shell/extensions")
        subprocess.run([sys.executable, str(TREE / "gnome-extension/pack.py"), "--shell", self.version,
                        "--into", str(extensions / UUID)], check=True)
        driver = extensions / DRIVER
        driver.mkdir(parents=True)
        kind = "legacy" if int(self.version.split(".")[0]) < 45 else "esm"
        shutil.copyfile(Path(__file__).parent / f"driver/{kind}.js", driver / "extension.js")
        metadata = {"uuid": DRIVER, "name": "Driver", "description": "for tests",
                    "shell-version": [self.version.split(".")[0]]}
        (driver / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
        keyfile = Path(self.folder, "config/glib-2.0/settings/keyfile")
        keyfile.parent.mkdir(parents=True)
        keyfile.write_text(f"""[org/gnome/shell]
enabled-extensions=['{DRIVER}']
welcome-dialog-last-shown-version='999'

[org/gnome/desktop/interface]
enable-animations=false
""", encoding="utf-8")

    def _start_shell(self):
        command = ["gnome-shell", "--headless", "--wayland", "--no-x11", "--virtual-monitor", "%dx%d" % SCREEN]
        with open(self.log_path, "wb") as log:
            self.shell = subprocess.Popen(inside(command, self.folder), env=self.environment, cwd=self.folder,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            if self.shell.poll() is not None:
                raise AssertionError(f"the shell ended with {self.shell.returncode}:\n{self.log()[-3000:]}")
            return self.connection.name_has_owner("org.gnome.Shell") and self.try_eval("1 + 1")[0]
        eventually(ready, "a shell that answers", SHELL_PATIENCE_S)
        self.wait_for("Main.layoutManager._startingUp", False)
        self.eval("Main.overview.hide()")
        self.wait_for("Main.overview.visible || Main.overview.animationInProgress", False)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def call(self, path, interface, member, signature, *arguments, name="org.gnome.Shell"):
        return self.connection.call_blocking(name, path, interface, member, signature, arguments, timeout=PATIENCE_S)

    def try_eval(self, code):
        try:
            return self.call("/org/gnome/Shell", "org.gnome.Shell", "Eval", "s", code)
        except Exception:  # pylint: disable=broad-except
            return False, ""

    def eval(self, code):
        """What JavaScript gives inside the shell."""
        good, text = self.call("/org/gnome/Shell", "org.gnome.Shell", "Eval", "s", code)
        if not good:
            raise AssertionError(f"{code[:300]}: {text}")
        return json.loads(text) if text else None

    def wait_for(self, code, wanted=True):
        """Until JavaScript gives `wanted`."""
        last = []

        def is_so():
            last[:] = [self.eval(code)]
            return last[0] == wanted
        try:
            eventually(is_so, code, PATIENCE_S)
        except AssertionError:
            raise AssertionError(f"{code} is {last}, not {wanted!r}\n{self.log()[-2000:]}") from None

    def extension_state(self):
        """1: on, 2: off, 3: error."""
        return self.eval(f"Main.extensionManager.lookup('{UUID}').state")

    def turn(self, switch):
        method = "EnableExtension" if switch else "DisableExtension"
        self.call("/org/gnome/Shell", "org.gnome.Shell.Extensions", method, "s", UUID)
        wanted = 1 if switch else 2
        eventually(lambda: self.extension_state() == wanted,
                   f"state {wanted} of the extension; the log ends:\n{self.log()[-2000:]}", PATIENCE_S)

    def offer_preferences(self):
        """Starts the program that the shell leaves preferences to; on a whole desktop the bus does."""
        service = Path(f"{ROOT}/usr/share/dbus-1/services/org.gnome.Shell.Extensions.service")
        command = re.search(r"^Exec=(.*)$", service.read_text(encoding="utf-8"), re.MULTILINE)[1].split()
        with open(f"{self.folder}/preferences.log", "wb") as log:
            self.processes.append(subprocess.Popen(
                inside(command, self.folder), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**self.environment, "WAYLAND_DISPLAY": "wayland-0", "GDK_BACKEND": "wayland",
                     "GSK_RENDERER": "cairo"}))
        eventually(lambda: self.connection.name_has_owner("org.gnome.Shell.Extensions"), "the preferences' program",
                   PATIENCE_S)

    def screenshot(self, area):
        """A file with what is on the screen there: x, y, width, height."""
        file = Path(self.folder, "picture.png")
        file.unlink(missing_ok=True)
        good, _ = self.call("/org/gnome/Shell/Screenshot", "org.gnome.Shell.Screenshot", "ScreenshotArea", "iiiibs",
                            *area, False, str(file), name="org.gnome.Shell.Screenshot")
        if not good or file.read_bytes()[:4] != b"\x89PNG":
            raise AssertionError("no screenshot")
        return file

    def stop(self):
        """Shells on their way out are not under test: this one is killed."""
        self.shell.kill()
        self.shell.wait()
        for process in self.processes:
            process.kill()
            process.wait()
        self.connection.close()
        self.session.stop()
        self.system.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
