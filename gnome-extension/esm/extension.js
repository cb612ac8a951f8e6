// Entry for GNOME Shell 45 and later.

import * as Main from 'resource:///org/gnome/shell/ui/main.js';
import {Extension, gettext as _} from 'resource:///org/gnome/shell/extensions/extension.js';

import {Indicator} from './lib/indicator.js';

export default class OllamaProxyExtension extends Extension {
  enable() {
    this._host ??= {greeted: null};
    Object.assign(this._host, {
      settings: this.getSettings(),
      iconFolder: this.dir.get_child('icons'),
      openPreferences: () => this.openPreferences(),
      gettext: _,
    });
    this._indicator = new Indicator(this._host);
    Main.panel.statusArea.quickSettings.addExternalIndicator(this._indicator);
  }

  disable() {
    this._indicator.destroy();
    this._indicator = null;
    this._host = {greeted: this._host.greeted};
  }
}
