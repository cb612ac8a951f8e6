// Entry for GNOME Shell 43 and 44.
/* exported init */

const ExtensionUtils = imports.misc.extensionUtils;
const Main = imports.ui.main;

const Me = ExtensionUtils.getCurrentExtension();
const {Indicator} = Me.imports.lib.indicator;

class OllamaProxyExtension {
  enable() {
    this._host ??= {greeted: null};
    Object.assign(this._host, {
      settings: ExtensionUtils.getSettings(),
      iconFolder: Me.dir.get_child('icons'),
      openPreferences: () => ExtensionUtils.openPrefs(),
      gettext: ExtensionUtils.gettext,
    });
    this._indicator = new Indicator(this._host);
    const {quickSettings} = Main.panel.statusArea;
    quickSettings._indicators.insert_child_at_index(this._indicator, 0);
    quickSettings._addItems(this._indicator.quickSettingsItems);
    const {_backgroundApps: below} = quickSettings; // 44 has them, and they stay last
    if (below) {
      for (const item of this._indicator.quickSettingsItems)
        quickSettings.menu._grid.set_child_below_sibling(item, below.quickSettingsItems[0]);
    }
  }

  disable() {
    this._indicator.destroy();
    this._indicator = null;
    this._host = {greeted: this._host.greeted};
  }
}

function init() {
  ExtensionUtils.initTranslations();
  return new OllamaProxyExtension();
}
