// Lets the tests look into the shell (org.gnome.Shell.Eval, screenshots). For 43 and 44.
/* exported init */

class Driver {
  enable() {
    global.context.unsafe_mode = true;
  }

  disable() {
    global.context.unsafe_mode = false;
  }
}

function init() {
  return new Driver();
}
