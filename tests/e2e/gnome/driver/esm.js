// Lets the tests look into the shell (org.gnome.Shell.Eval, screenshots). For 45 and later.
import {Extension} from 'resource:///org/gnome/shell/extensions/extension.js';

export default class Driver extends Extension {
  enable() {
    global.context.unsafe_mode = true;
  }

  disable() {
    global.context.unsafe_mode = false;
  }
}
