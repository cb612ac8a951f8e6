// Preferences for GNOME Shell 45 and later.

import {ExtensionPreferences, gettext as _} from 'resource:///org/gnome/Shell/Extensions/js/extensions/prefs.js';

import {preferencesPage} from './lib/preferences.js';

export default class OllamaProxyPreferences extends ExtensionPreferences {
  fillPreferencesWindow(window) {
    window.add(preferencesPage(this.getSettings(), _));
  }
}
