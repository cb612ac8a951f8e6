// Evaluated in the shell under test: what the tests look at and press.
globalThis.probe = {
  settings: Main.panel.statusArea.quickSettings,

  frames: 0,

  get tile() {
    return this.settings.menu._grid.get_children().find(child => child.name === 'ollama-proxy-tile') ?? null;
  },

  get indicator() {
    return this.settings._indicators.get_children()
      .find(child => child.has_style_class_name?.('ollama-proxy-indicator')) ?? null;
  },

  get extension() {
    return Main.extensionManager.lookup('ollamaproxy@anthropic.com').stateObj;
  },

  get preferences() {
    return this.extension._host.settings;
  },

  /** The mode that the tile shows. */
  get shown() {
    return this.tile.accessible_name.replace('AI Efficiency, ', '');
  },

  /** What is written on it: two lines, or one on 43. */
  get written() {
    const {tile} = this;
    return 'subtitle' in tile ? [tile.title, tile.subtitle] : [tile.label];
  },

  /** Whether everything that moves has come to rest. */
  get still() {
    const {menu} = this.tile;
    return menu.box.opacity === 255 && this.settings.menu.actor.opacity === 255 && !menu.actor.get_transition('height');
  },

  get items() {
    return this.tile.menu._getMenuItems();
  },

  item(text) {
    return this.items.find(item => item.label?.text === text);
  },

  /** The titles of the modes that have the radio's dot. */
  get dotted() {
    return this.items.filter(item => item._ornament === 1).map(item => item.label.text);
  },

  /** The lines of backends and of the machine, as their labels show them. */
  get facts() {
    const found = [];
    const look = actor => {
      if (actor.has_style_class_name?.('ollama-proxy-fact'))
        found.push(actor);
      else
        actor.get_children().forEach(look);
    };
    look(this.tile.menu.box);
    return found.filter(fact => fact.visible)
      .map(fact => fact.get_children().filter(child => child.text).map(child => child.text).join(' | '));
  },

  get counts() {
    const {menu, _indicators} = this.settings;
    return [menu._grid, menu._overlay, _indicators].map(actor => actor.get_n_children());
  },

  /** Middle of an actor on the screen. */
  middle(actor) {
    const [x, y] = actor.get_transformed_position();
    const [width, height] = actor.get_transformed_size();
    return [x + width / 2, y + height / 2];
  },

  /** Takes the mouse out of the picture. */
  rest() {
    this.pointer?.notify_absolute_motion(global.get_current_time() * 1000, 10, 780);
    return true;
  },

  /** Has the shell draw, until it has drawn `count` frames in all. */
  drawn(count) {
    global.stage.queue_redraw();
    return this.frames >= count;
  },

  /** A real press of the left button. */
  press(actor) {
    const {Clutter} = imports.gi;
    const [x, y] = this.middle(actor);
    const time = global.get_current_time() * 1000;
    this.pointer ??= Clutter.get_default_backend().get_default_seat()
      .create_virtual_device(Clutter.InputDeviceType.POINTER_DEVICE);
    this.pointer.notify_absolute_motion(time, x, y);
    this.pointer.notify_button(time, 1, Clutter.ButtonState.PRESSED);
    this.pointer.notify_button(time, 1, Clutter.ButtonState.RELEASED);
    return [x, y];
  },

  /** Writes down everything that is alive once the garbage is gone. */
  dump(file) {
    imports.system.gc();
    imports.system.dumpHeap(file);
    return true;
  },
};
// what the shell tells of the session is not what the pictures are of
Main.messageTray.bannerBlocked = true;
Main.messageTray.getSources().forEach(source => source.destroy());
global.stage.connect('after-paint', () => probe.frames++);
true;
