#!/usr/bin/env python3
"""The extension in a real GNOME Shell, beside the real daemon."""

import collections
import os
import re
import shutil
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import dbus
from desktop import TESTS, UUID, PATIENCE_S, Desktop, eventually, shell_version

sys.path.insert(0, str(TESTS / "dbus"))
from desk import Daemon, Sysfs  # noqa: E402  pylint: disable=wrong-import-position

MODES = ("Performance", "Balanced", "Efficiency", "Quiet", "Auto", "UltraEfficiency")
TITLES = {mode: mode for mode in MODES} | {"UltraEfficiency": "Ultra Efficiency"}
EFFICIENCY = "ie.fio.OllamaProxy.Efficiency"
CYCLES = 20
OBJECT = re.compile(r"0x[0-9a-f]+ \w ((?:GObject|Function|Object|Map|Array|Gjs)\S*(?: [\w/<\[\]]+)?)")  # in a dump of the heap
# Shell 43 never lets go of the empty PopupMenuManager of a tile that is gone, whoever made the tile.
THE_SHELLS_OWN = {"Function PopupMenuManager/<": 2, "Object <unknown": 2, "Array <unknown": 2}
SETTINGS_AREA = (872, 0, 408, 760)
TILE_AREA = (872, 0, 408, 180)
PANEL_AREA = (1080, 0, 200, 32)
PICTURES = os.environ.get("GNOME_TEST_PICTURES", "")  # a folder that keeps what the shell looked like
# What may be about the extension, and what a shell without the services of a whole desktop says of itself.
SUSPICIOUS = re.compile(r"ollama|JS |Gjs|WARNING|CRITICAL|ERROR|Stack trace|^#\d|warning", re.IGNORECASE)
SURROUNDINGS = re.compile(r"accountsservice|colord|GeoClue|CalendarServer|background|ibus|portal|upower|rfkill|Avatar"
                          r"|screencast|Xwayland|localsearch|gnome-session|SessionManager|dmabuf|DMA buffer", re.IGNORECASE)


class Shell(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.desktop = Desktop(shell_version())
        cls.addClassCleanup(cls.desktop.stop)
        cls.desktop.eval(Path(__file__).with_name("probe.js").read_text(encoding="utf-8"))
        cls.sysfs = Sysfs(cls.desktop.folder)
        cls.daemon = None
        cls.addClassCleanup(cls.stop_daemon)

    @classmethod
    def start_daemon(cls, config=None, arguments=("--demo",)):
        if cls.daemon is None:
            cls.daemon = Daemon(cls.desktop.folder, cls.desktop.environment, {
                "monitors": {"sysfs_root": str(cls.sysfs.root), "interval_ms": 200, "idle_interval_ms": 200},
                "thermal": {"elevated": 80, "high": 85, "critical": 90, "recovery": 75},
                "notifications": {"enabled": False}, **(config or {})}, arguments)

    @classmethod
    def stop_daemon(cls):
        if cls.daemon is not None:
            cls.daemon.stop()
            cls.daemon = None

    def setUp(self):
        self.start_daemon()
        if self.desktop.extension_state() != 1:
            self.desktop.turn(True)
        self.mark = len(self.desktop.log())
        self.addCleanup(self.nothing_was_logged)
        self.wait_for("probe.tile?.visible")
        self.addCleanup(self.desktop.eval, "probe.settings.menu.close(false)")

    def nothing_was_logged(self):
        new = self.desktop.log()[self.mark:].splitlines()
        self.assertEqual([line for line in new if SUSPICIOUS.search(line) and not SURROUNDINGS.search(line)], [])

    def eval(self, code):
        return self.desktop.eval(code)

    def wait_for(self, code, wanted=True):
        self.desktop.wait_for(code, wanted)

    def mode(self):
        return self.daemon.get("/efficiency")["mode"]

    def set_mode(self, mode):
        """As a person at a terminal would."""
        path = "/ie/fio/OllamaProxy/Efficiency"
        command = ["gdbus", "call", "--session", "-d", EFFICIENCY, "-o", path, "-m", f"{EFFICIENCY}.SetEfficiencyMode",
                   mode]
        if shutil.which("busctl"):
            command = ["busctl", "--user", "call", EFFICIENCY, path, EFFICIENCY, "SetEfficiencyMode", "s", mode]
        subprocess.run(command, env=self.desktop.environment, check=True, capture_output=True, timeout=PATIENCE_S)

    def drawn(self):
        """The shell places what it opens while it draws."""
        self.wait_for(f"probe.drawn({self.eval('probe.frames') + 3})")

    def open_settings(self):
        self.eval("probe.settings.menu.open(false)")
        self.wait_for("probe.settings.menu.isOpen && probe.tile.mapped")
        self.drawn()

    def open_menu(self):
        self.open_settings()
        self.eval("probe.tile.menu.open(false)")
        self.wait_for("probe.still")
        self.drawn()

    def picture(self, name, area=SETTINGS_AREA):
        self.eval("probe.rest()")
        self.drawn()
        file = self.desktop.screenshot(area)
        if PICTURES:
            shutil.copyfile(file, Path(PICTURES, f"{name}-{self.desktop.version.split('.')[0]}.png"))

    def test_it_is_enabled_without_a_warning(self):
        self.desktop.turn(False)
        self.desktop.turn(True)
        self.wait_for("probe.tile?.visible")
        self.assertFalse(self.eval(f"Main.extensionManager.lookup('{UUID}').error"))
        self.assertEqual(self.eval("[probe.tile.gicon.constructor.name, probe.tile.accessible_name.split(',')[0]]"),
                         ["Gio_FileIcon", "AI Efficiency"])

    def test_each_mode_chosen_from_the_menu_is_the_daemons(self):
        for mode in (*MODES[1:], MODES[0]):
            with self.subTest(mode=mode):
                self.open_menu()
                self.wait_for(f"probe.item('{TITLES[mode]}').mapped")
                self.eval(f"probe.item('{TITLES[mode]}').activate(null)")
                eventually(lambda m=mode: self.mode() == m, f"the daemon in {mode}")
                self.wait_for("probe.dotted", [TITLES[mode]])
                self.wait_for(f"probe.shown.startsWith('{TITLES[mode] if mode != 'Auto' else 'Auto: '}')")

    def test_a_mode_chosen_with_the_mouse_is_the_daemons(self):
        self.set_mode("Balanced")
        self.wait_for("probe.shown", "Balanced")
        self.open_menu()
        self.wait_for("probe.item('Quiet').mapped && probe.item('Quiet').get_transformed_size()[1] > 10")
        self.eval("probe.press(probe.item('Quiet'))")
        eventually(lambda: self.mode() == "Quiet", "the daemon in Quiet")

    def test_a_mode_that_others_set_moves_the_tile(self):
        for mode in MODES:
            with self.subTest(mode=mode):
                self.set_mode(mode)
                self.wait_for("probe.dotted", [TITLES[mode]])
                self.wait_for("probe.tile.checked", mode == "Auto")
                self.wait_for(f"probe.tile.gicon.file.get_basename().includes('{mode[:4].lower()}')"
                              .replace("'ultr'", "'ultra'").replace("'bala'", "'balanced'"))

    def test_auto_shows_what_applies_and_why(self):
        self.sysfs.plug(True, 60)
        self.set_mode("Auto")
        self.wait_for("probe.shown", "Auto: Balanced")
        self.sysfs.plug(False, 40)
        self.wait_for("probe.shown", "Auto: Efficiency")
        self.wait_for("probe.tile.menu._headerSubtitle.text", "Auto: Efficiency (battery at 40 %)")
        self.sysfs.plug(True, 60)
        self.wait_for("probe.shown", "Auto: Balanced")

    def test_a_click_goes_to_auto_and_back_to_the_last_mode(self):
        self.set_mode("Efficiency")
        self.wait_for("probe.shown", "Efficiency")
        self.open_settings()
        self.eval("probe.press(probe.tile)")
        eventually(lambda: self.mode() == "Auto", "Auto")
        self.wait_for("probe.tile.checked")
        self.eval("probe.press(probe.tile)")
        eventually(lambda: self.mode() == "Efficiency", "Efficiency")
        self.wait_for("probe.tile.checked", False)

    def test_it_hides_while_the_daemon_is_away(self):
        self.eval("probe.preferences.set_boolean('show-indicator', true)")
        self.addCleanup(self.eval, "probe.preferences.reset('show-indicator')")
        self.wait_for("probe.indicator.visible")
        self.open_menu()
        self.wait_for("probe.facts.length >= 5")
        self.stop_daemon()
        self.wait_for("probe.tile.visible", False)
        self.assertEqual(self.eval("[probe.indicator.visible, probe.tile.menu.isOpen]"), [False, False])
        self.desktop.turn(False)
        self.desktop.turn(True)
        self.wait_for("probe.extension._indicator._daemon._efficiency._proxy !== null")
        self.assertFalse(self.desktop.started.exists(), "the extension had the bus start a daemon")
        self.start_daemon()
        self.wait_for("probe.tile.visible && probe.indicator.visible")
        self.assertEqual(self.eval("probe.dotted"), [TITLES[self.mode()]])

    def test_a_daemon_that_hangs_does_not_hold_up_the_shell(self):
        self.set_mode("Balanced")
        self.wait_for("probe.shown", "Balanced")
        self.open_menu()
        self.wait_for("probe.facts.length >= 5 && !probe.indicator._asking")
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            self.wait_for("probe.indicator._asking")
            self.eval("probe.item('Quiet').activate(null)")
            self.drawn()
            self.assertEqual(self.eval("[probe.shown, probe.indicator._asking]"), ["Balanced", True])
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)
        self.wait_for("probe.shown", "Quiet")
        self.wait_for("probe.indicator._asking", False)

    def test_the_menu_tells_of_backends_heat_and_power(self):
        self.sysfs.plug(False, 42)
        self.addCleanup(self.sysfs.plug, True, 60)
        self.set_mode("Auto")
        self.wait_for("probe.shown", "Auto: Efficiency")
        self.open_menu()
        self.wait_for("probe.facts.length", 5)
        facts = self.eval("probe.facts")
        self.assertRegex(facts[0], r"^Simulated NPU \(demo\) \| ready · 3 W ·( \d+ °C ·)? 0 waiting$")
        self.wait_for("probe.facts[4].includes('Heat: normal') && probe.facts[4].endsWith('on battery, 42 %')")
        self.picture("menu")
        self.eval("probe.tile.menu.close(false)")
        self.picture("tile", TILE_AREA)

    def test_heat_colours_the_indicator(self):
        self.addCleanup(self.sysfs.heat, 50)
        for celsius, style in ((82, "elevated"), (92, "critical"), (60, None)):
            self.sysfs.heat(celsius)
            self.wait_for("probe.indicator.get_style_class_name().split(' ').filter(c => c.startsWith('ollama-proxy-'))"
                          ".filter(c => c !== 'ollama-proxy-indicator')", [f"ollama-proxy-{style}"] if style else [])
        self.wait_for("probe.tile.visible")

    def test_names_with_markup_of_10_kilobytes_and_right_to_left_do_no_harm(self):
        names = ["<b>bold</b> &amp; <span size='99999'>", "x" * 10240, "חזק مرحبا \u202egnp.exe", "<markup", "e\u0301" * 5000]
        self.stop_daemon()
        self.addCleanup(self.stop_daemon)
        self.start_daemon({"backends": [{"id": f"b{index}", "name": name, "endpoint": "http://127.0.0.1:9",
                                         "hardware": "cpu"} for index, name in enumerate(names)]}, ())
        self.wait_for("probe.tile.visible")
        self.open_menu()
        self.wait_for("probe.facts.length >= 5")
        facts = self.eval("probe.facts")
        self.assertTrue(facts[0].startswith("<b>bold</b> &amp; <span size='99999'> | "), facts[0])
        self.assertTrue(facts[1].startswith("x" * 59 + "… | "), facts[1])
        self.assertTrue(facts[2].startswith("חזק مرحبا gnp.exe | "), facts[2])
        self.assertLess(max(map(len, facts)), 120)
        width = self.eval("probe.tile.menu.actor.width")
        self.assertLess(width, 600)
        self.picture("names")

    def test_nothing_is_said_on_the_bus_while_nothing_happens(self):
        connection = self.desktop.session.connect()
        self.addCleanup(connection.close)
        said = []
        ours = dbus.String(self.desktop.connection.get_name_owner("org.gnome.Shell"))
        daemon = dbus.String(self.desktop.connection.get_name_owner(EFFICIENCY))
        self.set_mode("Balanced")
        self.wait_for("probe.shown", "Balanced")
        connection.add_message_filter(lambda _, message: said.append(
            (message.get_sender(), message.get_destination(), message.get_member())))
        connection.call_blocking("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Monitoring",
                                 "BecomeMonitor", "asu", ([], 0))

        def from_or_to_the_daemon():
            return [one for one in said if daemon in one[:2]]

        def quiet(seconds):
            said.clear()
            with self.assertRaises(AssertionError):
                eventually(from_or_to_the_daemon, "silence", seconds)
            self.assertEqual(from_or_to_the_daemon(), [])
        quiet(5)
        self.open_menu()
        eventually(lambda: [one[2] for one in said if one[0] == ours].count("ListBackends") >= 3, "a refreshed list")
        calls = {one[2] for one in from_or_to_the_daemon() if one[0] == ours}
        self.assertEqual(calls, {"ListBackends"})
        self.eval("probe.settings.menu.close(false)")
        self.wait_for("probe.tile.menu.isOpen", False)
        quiet(5)

    def test_preferences_open_from_the_menu(self):
        self.desktop.offer_preferences()
        self.open_menu()
        self.eval("probe.item('Preferences').activate(null)")
        window = "global.get_window_actors().find(actor => actor.meta_window.title === 'Ollama Proxy')"
        self.wait_for(f"{window}?.mapped ?? false")
        self.wait_for("probe.settings.menu.isOpen", False)
        self.wait_for(f"{window}.meta_window.get_frame_rect().width > 300")
        self.drawn()
        area = self.eval(f"(r => [r.x, r.y, r.width, r.height])({window}.meta_window.get_frame_rect())")
        self.picture("preferences", area)
        log = Path(self.desktop.folder, "preferences.log").read_text(encoding="utf-8", errors="replace")
        self.assertEqual([line for line in log.splitlines() if re.search("JS |CRITICAL|Gtk-WARNING|ollama", line)], [])
        self.eval(f"{window}.meta_window.delete(global.display.get_current_time_roundtrip())")
        self.wait_for(f"{window} === undefined")

    def test_what_is_set_is_handed_to_the_daemon(self):
        def read(name):
            return self.desktop.call("/ie/fio/OllamaProxy/Efficiency", "org.freedesktop.DBus.Properties", "Get", "ss",
                                     EFFICIENCY, name, name=EFFICIENCY)
        self.eval("probe.preferences.set_int('auto-quiet-hours-start', 21)")
        self.eval("probe.preferences.set_boolean('auto-quiet-hours-enabled', true)")
        eventually(lambda: tuple(read("QuietHours")) == (True, 21, 7), "quiet hours")
        self.eval("probe.preferences.set_boolean('notify-on-backend-failure', false)")
        eventually(lambda: not read("Notifications")["backend_health"], "no notifications of backends")
        self.assertTrue(read("Notifications")["thermal"])
        for key in ("auto-quiet-hours-start", "auto-quiet-hours-enabled"):
            self.eval(f"probe.preferences.reset('{key}')")
        self.eval("probe.preferences.set_boolean('notify-on-backend-failure', true)")
        self.eval("probe.preferences.set_boolean('auto-quiet-hours-enabled', false)")
        eventually(lambda: read("Notifications")["backend_health"], "notifications of backends")
        eventually(lambda: not read("QuietHours")[0], "no quiet hours")
        for key in ("notify-on-backend-failure", "auto-quiet-hours-enabled"):
            self.eval(f"probe.preferences.reset('{key}')")

    def test_the_default_mode_is_set_for_a_new_daemon_and_not_after_the_screen_was_locked(self):
        self.eval("probe.preferences.set_boolean('remember-last-mode', false)")
        self.addCleanup(self.eval, "probe.preferences.reset('remember-last-mode')")
        self.eval("probe.preferences.set_string('default-mode', 'Efficiency')")
        self.addCleanup(self.eval, "probe.preferences.reset('default-mode')")
        self.set_mode("Performance")
        self.stop_daemon()
        self.wait_for("probe.tile.visible", False)
        self.start_daemon()
        eventually(lambda: self.mode() == "Efficiency", "the default mode")
        self.set_mode("Quiet")
        self.desktop.turn(False)
        self.desktop.turn(True)
        self.wait_for("probe.shown", "Quiet")
        self.assertEqual(self.mode(), "Quiet")

    def test_the_panel_counts_backends_only_when_that_is_wanted(self):
        self.set_mode("Balanced")
        self.wait_for("probe.shown", "Balanced")
        self.assertEqual(self.eval("probe.indicator.get_last_child().visible"), False)
        for key in ("indicator-show-backend-count", "indicator-show-mode"):
            self.eval(f"probe.preferences.set_boolean('{key}', true)")
            self.addCleanup(self.eval, f"probe.preferences.reset('{key}')")
        self.wait_for("probe.indicator.get_last_child().text", "Balanced 4/4")
        self.picture("panel", PANEL_AREA)
        self.eval("probe.preferences.set_boolean('show-indicator', false)")
        self.addCleanup(self.eval, "probe.preferences.reset('show-indicator')")
        self.wait_for("probe.indicator.visible", False)

    def test_on_and_off_twenty_times_leaves_nothing_behind(self):
        before = self.eval("probe.counts")
        rules = self.match_rules()
        self.assertGreater(len(rules), 3)
        for cycle in range(CYCLES):
            if cycle % 3 == 2:  # off while its menu is open
                self.open_menu()
            self.desktop.turn(False)
            self.assertIsNone(self.eval("probe.tile"))
            if cycle == 0:
                self.assertEqual(self.eval("probe.counts"), [count - 1 for count in before])
                first = self.alive()
            self.desktop.turn(True)
            self.wait_for("probe.tile?.visible")
        self.assertEqual(self.eval("probe.counts"), before)
        self.desktop.turn(False)
        left = {}

        def nothing_is_left():
            left.clear()
            left.update(self.grown(first))
            return not left
        try:
            eventually(nothing_is_left, "memory as before")
        except AssertionError:
            self.fail(f"there is more of {left}")
        eventually(lambda: not self.match_rules(), "no rule of ours on the bus")  # proxies go with the garbage
        self.desktop.turn(True)

    def alive(self):
        """How many objects there are, by kind, once the garbage is gone."""
        file = Path(self.desktop.folder, "heap")
        file.unlink(missing_ok=True)
        self.eval(f"probe.dump('{file}')")
        with open(file, encoding="utf-8", errors="replace") as lines:
            return collections.Counter(found[1] for found in map(OBJECT.match, lines) if found)

    def grown(self, first):
        """The kinds of which something stays behind whenever the extension goes off."""
        now = self.alive()
        return {kind: (first[kind], count) for kind, count in now.items()
                if count - first[kind] >= (THE_SHELLS_OWN.get(kind, 0) + 1) * (CYCLES - 1)}

    def match_rules(self):
        """What the shell asked the bus to be told of the daemon."""
        shell = self.desktop.connection.get_name_owner("org.gnome.Shell")
        rules = self.desktop.call("/org/freedesktop/DBus", "org.freedesktop.DBus.Debug.Stats", "GetAllMatchRules", "",
                                  name="org.freedesktop.DBus")
        return [str(rule) for rule in rules.get(shell, []) if "OllamaProxy" in rule]


class German(unittest.TestCase):
    def test_the_tile_speaks_german(self):
        desktop = Desktop(shell_version(), "de")
        self.addCleanup(desktop.stop)
        desktop.eval(Path(__file__).with_name("probe.js").read_text(encoding="utf-8"))
        daemon = Daemon(desktop.folder, desktop.environment,
                        {"monitors": {"enabled": False}, "notifications": {"enabled": False}}, ("--demo",))
        self.addCleanup(daemon.stop)
        if desktop.eval("imports.gettext.dgettext('gnome-shell', 'Night Light')") == "Night Light":
            self.skipTest("no German here: the shell itself speaks English (newer C libraries have none in C.UTF-8)")
        desktop.turn(True)
        desktop.wait_for("probe.tile?.visible")
        desktop.wait_for("probe.tile.accessible_name", "KI-Effizienz, Ausgewogen")
        self.assertEqual(desktop.eval("probe.dotted"), ["Ausgewogen"])
        self.assertIsNotNone(desktop.eval("probe.item('Einstellungen')?.label.text ?? null"))


if __name__ == "__main__":
    unittest.main()
