// The indicator in the panel, and what ties tile, settings and daemon together.

import Clutter from 'gi://Clutter';
import Gio from 'gi://Gio';
import GObject from 'gi://GObject';
import St from 'gi://St';

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import * as QuickSettings from 'resource:///org/gnome/shell/ui/quickSettings.js';

import {Daemon} from './daemon.js';
import {AUTO, clickedMode} from './modes.js';
import {notifications, quietHours, sameHours, sameSwitches} from './policy.js';
import {Tile} from './tile.js';
import {HEAT_STYLES, indicatorView} from './view.js';

/**
 * The indicator, with its tile in `quickSettingsItems`. `extension` is what the entry for this version of the shell
 * provides: `settings`, `iconFolder`, `openPreferences()`, `gettext`, and `greeted`, which is ours to write.
 */
export const Indicator = GObject.registerClass(
class OllamaProxyIndicator extends QuickSettings.SystemIndicator {
  _init(extension) {
    super._init();
    this._extension = extension;
    this._settings = extension.settings;
    this._icons = new Map();
    this._backends = [];
    this._asking = false;
    this._previous = '';
    this._buildPanel();
    this._tile = new Tile({
      icon: name => this._icon(name),
      click: () => this._daemon.setMode(clickedMode(this._daemon.state().mode, this._remembered(),
        this._settings.get_string('default-mode'))),
      choose: mode => this._daemon.setMode(mode),
      refresh: () => this._refreshBackends(),
      preferences: () => this._openPreferences(),
    }, extension.gettext);
    this.quickSettingsItems.push(this._tile);
    this._daemon = new Daemon({
      changed: () => this._sync(),
      appeared: () => this._greet(),
      backends: () => this._onBackends(),
    });
    this._settingsHandler = this._settings.connect('changed', (_settings, key) => this._onSetting(key));
    this._sync();
  }

  _buildPanel() {
    this.add_style_class_name('ollama-proxy-indicator');
    this._panelIcon = this._addIndicator();
    this._panelIcon.visible = false;
    this._panelLabel = new St.Label({y_align: Clutter.ActorAlign.CENTER, y_expand: true, visible: false});
    this.add_child(this._panelLabel);
  }

  _icon(name) {
    if (!this._icons.has(name))
      this._icons.set(name, new Gio.FileIcon({file: this._extension.iconFolder.get_child(`${name}.svg`)}));
    return this._icons.get(name);
  }

  /** The mode that a click leaves Auto for. */
  _remembered() {
    return this._settings.get_boolean('remember-last-mode') ? this._previous : '';
  }

  /** From the state of things to what is on show; idempotent. */
  _sync() {
    if (!this._daemon) // an event of the daemon's own construction
      return;
    const state = this._daemon.state();
    if (!state.present)
      this._backends = [];
    else if (state.mode !== AUTO)
      this._previous = state.mode;
    this._tile.sync(state, this._backends);
    this._syncPanel(state);
  }

  _syncPanel(state) {
    const wish = {
      show: this._settings.get_boolean('show-indicator'),
      mode: this._settings.get_boolean('indicator-show-mode'),
      count: this._settings.get_boolean('indicator-show-backend-count'),
    };
    const view = indicatorView(state, this._backends, wish, this._extension.gettext);
    this._panelIcon.gicon = this._icon(view.icon);
    this._panelLabel.text = view.label;
    this._panelLabel.visible = view.visible && view.label !== '';
    HEAT_STYLES.forEach(style => this.remove_style_class_name(style));
    if (view.style)
      this.add_style_class_name(view.style);
    this.accessible_name = view.accessibleName;
    this._panelIcon.visible = view.visible;
  }

  _onSetting(key) {
    // what the daemon is known to have may be a quarter of a second old: not compared
    if (key.startsWith('notify-'))
      this._handOverSwitches(null);
    else if (key.startsWith('auto-quiet-hours-'))
      this._handOverHours(null);
    else if (key === 'indicator-show-backend-count')
      this._onBackends();
    this._sync();
  }

  /** A daemon is there. One that this desktop has met before (the screen was locked meanwhile) keeps its mode. */
  _greet() {
    const {owner} = this._daemon;
    const fresh = this._extension.greeted !== owner;
    this._extension.greeted = owner;
    this._handOverHours(this._daemon.quietHours());
    this._handOverSwitches(this._daemon.notifications());
    if (fresh && !this._settings.get_boolean('remember-last-mode'))
      this._daemon.setMode(this._settings.get_string('default-mode'));
  }

  /** Tells the daemon the quiet hours of the settings unless they are those that it has. */
  _handOverHours(current) {
    const hours = quietHours(this._settings);
    if (hours && !sameHours(hours, current))
      this._daemon.setQuietHours(hours);
  }

  /** The same for the notifications. */
  _handOverSwitches(current) {
    const switches = notifications(this._settings);
    if (switches && !sameSwitches(switches, current))
      this._daemon.setNotifications(switches);
  }

  /** Outside the menu the list is asked for only when the panel counts. */
  _onBackends() {
    if (this._daemon?.owner && this._settings.get_boolean('indicator-show-backend-count'))
      this._refreshBackends();
  }

  /** One question at a time: a daemon that hangs is not asked again and again. */
  _refreshBackends() {
    if (this._asking)
      return;
    this._asking = true;
    this._daemon.listBackends(backends => {
      this._asking = false;
      if (!backends)
        return;
      this._backends = backends;
      this._sync();
    });
  }

  _openPreferences() {
    Main.overview.hide();
    Main.panel.closeQuickSettings?.();
    this._extension.openPreferences();
  }

  destroy() {
    this._settings.disconnect(this._settingsHandler);
    this._daemon.destroy();
    this.quickSettingsItems.forEach(item => item.destroy());
    this.quickSettingsItems = [];
    super.destroy();
  }
});
