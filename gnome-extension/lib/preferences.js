// The page of the preferences window.

import Adw from 'gi://Adw';
import Gio from 'gi://Gio';
import Gtk from 'gi://Gtk';

import {MODES} from './modes.js';

/** A row that ends in a control, which stands for the row. */
function row(title, subtitle, control) {
  control.valign = Gtk.Align.CENTER;
  const line = new Adw.ActionRow({title, subtitle, activatable_widget: control});
  line.add_suffix(control);
  return line;
}

function switchRow(settings, key, title, subtitle = '') {
  const control = new Gtk.Switch();
  settings.bind(key, control, 'active', Gio.SettingsBindFlags.DEFAULT);
  return row(title, subtitle, control);
}

function hourRow(settings, key, title) {
  const control = new Gtk.SpinButton({
    adjustment: new Gtk.Adjustment({lower: 0, upper: 23, step_increment: 1, page_increment: 6}),
    numeric: true,
    wrap: true,
  });
  settings.bind(key, control, 'value', Gio.SettingsBindFlags.DEFAULT);
  settings.bind('auto-quiet-hours-enabled', control, 'sensitive', Gio.SettingsBindFlags.GET);
  return row(title, '', control);
}

function modeRow(settings, _) {
  const line = new Adw.ComboRow({
    title: _('Default mode'),
    model: Gtk.StringList.new(MODES.map(mode => _(mode.title))),
  });
  const show = () => {
    const index = MODES.findIndex(mode => mode.id === settings.get_string('default-mode'));
    line.selected = index < 0 ? Gtk.INVALID_LIST_POSITION : index;
  };
  show();
  const handler = settings.connect('changed::default-mode', show);
  line.connect('destroy', () => settings.disconnect(handler));
  line.connect('notify::selected', () => {
    const mode = MODES[line.selected];
    if (mode && mode.id !== settings.get_string('default-mode'))
      settings.set_string('default-mode', mode.id);
  });
  return line;
}

function group(title, description, rows) {
  const box = new Adw.PreferencesGroup({title, description});
  rows.forEach(line => box.add(line));
  return box;
}

/** Everything that can be set, bound to `settings`. */
export function preferencesPage(settings, _) {
  const page = new Adw.PreferencesPage({title: _('Ollama Proxy'), icon_name: 'preferences-system-symbolic'});
  page.add(group(_('Mode'), '', [
    switchRow(settings, 'remember-last-mode', _('Keep the last mode'),
      _('Otherwise the default mode is set whenever the daemon starts')),
    modeRow(settings, _),
  ]));
  page.add(group(_('Panel'), '', [
    switchRow(settings, 'show-indicator', _('Show an icon in the panel')),
    switchRow(settings, 'indicator-show-mode', _('Mode beside the icon')),
    switchRow(settings, 'indicator-show-backend-count', _('Number of ready backends beside the icon')),
  ]));
  page.add(group(_('Notifications'), _('What the daemon tells. Until you change one, its configuration counts'), [
    switchRow(settings, 'notify-on-mode-change', _('The mode changes by itself')),
    switchRow(settings, 'notify-on-backend-failure', _('A backend fails or is back')),
    switchRow(settings, 'notify-on-thermal-throttle', _('The machine gets too hot')),
  ]));
  page.add(group(_('Quiet hours'), _('Auto keeps the fans down between these hours'), [
    switchRow(settings, 'auto-quiet-hours-enabled', _('Quiet hours')),
    hourRow(settings, 'auto-quiet-hours-start', _('From hour')),
    hourRow(settings, 'auto-quiet-hours-end', _('To hour')),
  ]));
  return page;
}
