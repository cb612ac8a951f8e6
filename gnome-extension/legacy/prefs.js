// Preferences for GNOME Shell 43 and 44.
/* exported init, fillPreferencesWindow */

const ExtensionUtils = imports.misc.extensionUtils;

const Me = ExtensionUtils.getCurrentExtension();
const {preferencesPage} = Me.imports.lib.preferences;

function init() {
  ExtensionUtils.initTranslations();
}

function fillPreferencesWindow(window) {
  window.add(preferencesPage(ExtensionUtils.getSettings(), ExtensionUtils.gettext));
}
