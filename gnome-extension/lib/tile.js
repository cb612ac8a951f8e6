// The tile in Quick Settings and its menu.

import Atk from 'gi://Atk';
import Clutter from 'gi://Clutter';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Pango from 'gi://Pango';
import St from 'gi://St';

import * as PopupMenu from 'resource:///org/gnome/shell/ui/popupMenu.js';
import * as QuickSettings from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {MODES} from './modes.js';
import {backendRows, machineText, tileView} from './view.js';

const REFRESH_S = 2;

/** A line that tells and cannot be chosen. */
const FactItem = GObject.registerClass(
class OllamaProxyFactItem extends PopupMenu.PopupBaseMenuItem {
  _init() {
    super._init({reactive: false, can_focus: false, style_class: 'ollama-proxy-fact'});
    this.setOrnament(PopupMenu.Ornament.HIDDEN);
    this._name = new St.Label({x_expand: true, y_align: Clutter.ActorAlign.CENTER});
    this._name.clutter_text.ellipsize = Pango.EllipsizeMode.END;
    this._details = new St.Label({style_class: 'ollama-proxy-details', y_align: Clutter.ActorAlign.CENTER});
    this._details.clutter_text.ellipsize = Pango.EllipsizeMode.NONE; // it is the name that gives way
    this.add_child(this._name);
    this.add_child(this._details);
  }

  showFact({name, details, healthy, accessibleName}) {
    this._name.text = name;
    this._details.text = details;
    this._details.visible = details !== '';
    if (healthy)
      this.remove_style_class_name('ollama-proxy-down');
    else
      this.add_style_class_name('ollama-proxy-down');
    this.accessible_name = accessibleName;
  }
});

/**
 * The tile. `wishes` is what it may ask for:
 *   icon(name)       a Gio.Icon
 *   click()          the tile itself was pressed
 *   choose(mode)     a mode was chosen
 *   refresh()        the backends' lines are on show and should be fresh
 *   preferences()    the preferences are wanted
 */
export const Tile = GObject.registerClass(
class OllamaProxyTile extends QuickSettings.QuickMenuToggle {
  _init(wishes, _) {
    super._init({name: 'ollama-proxy-tile'});
    this._wishes = wishes;
    this._ = _;
    this._modes = new Map();
    this._facts = [];
    this._timer = 0;
    this.connect('clicked', () => wishes.click());
    this._fillMenu();
    this.menu.connect('open-state-changed', (_menu, open) => this._onOpen(open));
  }

  _fillMenu() {
    const _ = this._;
    for (const {id, title} of MODES) {
      const item = new PopupMenu.PopupMenuItem(_(title));
      item.accessible_role = Atk.Role.RADIO_MENU_ITEM;
      item.connect('activate', () => this._wishes.choose(id));
      this._modes.set(id, item);
      this.menu.addMenuItem(item);
    }
    this.menu.addMenuItem(new PopupMenu.PopupSeparatorMenuItem());
    this._machine = new FactItem();
    this.menu.addMenuItem(this._machine);
    this.menu.addMenuItem(new PopupMenu.PopupSeparatorMenuItem());
    this.menu.addAction(_('Preferences'), () => this._wishes.preferences());
  }

  /** Shows what is so now; may be called as often as one likes. */
  sync(state, backends) {
    const _ = this._;
    const view = tileView(state, _);
    const icon = this._wishes.icon(view.icon);
    if (!view.visible)
      this.menu.close(false);
    this.set({visible: view.visible, checked: view.checked, gicon: icon, accessible_name: view.accessibleName});
    if ('subtitle' in this)
      this.set({title: view.title, subtitle: view.subtitle});
    else // Shell 43 has one line only
      this.label = view.label;
    this.menu.setHeader(icon, view.title, view.header);
    for (const [id, item] of this._modes) {
      const {DOT, NONE, NO_DOT = NONE} = PopupMenu.Ornament;
      item.setOrnament(id === state.mode ? DOT : NO_DOT);
    }
    this._showBackends(backendRows(backends, _));
    const machine = machineText(state, backends, _);
    this._machine.visible = machine !== '';
    this._machine.showFact({name: machine, details: '', healthy: true, accessibleName: machine});
  }

  _showBackends(rows) {
    while (this._facts.length > rows.length)
      this._facts.pop().destroy();
    while (this._facts.length < rows.length) {
      const item = new FactItem();
      this._facts.push(item);
      // not in a section: the shell keeps a menu alive for ever that had one
      this.menu.addMenuItem(item, MODES.length + this._facts.length);
    }
    rows.forEach((row, index) => this._facts[index].showFact(row));
  }

  _onOpen(open) {
    this._stopTimer();
    if (!open)
      return;
    this._wishes.refresh();
    this._timer = GLib.timeout_add_seconds(GLib.PRIORITY_DEFAULT, REFRESH_S, () => {
      this._wishes.refresh();
      return GLib.SOURCE_CONTINUE;
    });
  }

  _stopTimer() {
    if (this._timer)
      GLib.source_remove(this._timer);
    this._timer = 0;
  }

  destroy() {
    this.menu.close(false);
    this._stopTimer();
    this.menu.destroy();
    super.destroy();
  }
});
