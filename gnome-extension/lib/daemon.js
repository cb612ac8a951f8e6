// The daemon on the session bus. Everything is asynchronous, nothing is polled, and nothing here starts the daemon.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

import {AWAY} from './view.js';

const NAME = 'ie.fio.OllamaProxy';
const PATH = '/ie/fio/OllamaProxy';
const PROPERTIES = 'org.freedesktop.DBus.Properties';
const CALL_TIMEOUT_MS = 5000;

// The daemon left while a call was on its way: the tile hides, there is nothing to say.
const GONE = [Gio.DBusError.SERVICE_UNKNOWN, Gio.DBusError.NAME_HAS_NO_OWNER, Gio.DBusError.NO_REPLY,
  Gio.DBusError.DISCONNECTED];

function report(error) {
  if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED) ||
      GONE.some(code => error.matches(Gio.DBusError, code)))
    return;
  console.warn(`ollama-proxy: ${error.message}`);
}

/** One of the five services. */
class Service {
  constructor(part, flags, cancellable, events) {
    this._interface = `${NAME}.${part}`;
    this._cancellable = cancellable;
    this._proxy = null;
    this._handlers = [];
    Gio.DBusProxy.new(Gio.DBus.session, Gio.DBusProxyFlags.DO_NOT_AUTO_START | flags, null, this._interface,
      `${PATH}/${part}`, this._interface, cancellable, (_source, result) => {
        try {
          this._proxy = Gio.DBusProxy.new_finish(result);
        } catch (error) {
          report(error);
          return;
        }
        this._handlers = [
          this._proxy.connect('notify::g-name-owner', events.owner),
          this._proxy.connect('g-properties-changed', events.properties),
          this._proxy.connect('g-signal', (_proxy, _sender, name, parameters) => events.signal(name, parameters)),
        ];
        events.owner();
      });
  }

  /** The unique name of the process that offers the service, or null. */
  get owner() {
    return this._proxy?.g_name_owner ?? null;
  }

  /** The cached value of a property, or `unknown` where it is missing or of another type. */
  property(name, type, unknown) {
    const value = this._proxy?.get_cached_property(name);
    return value?.get_type_string() === type ? value.recursiveUnpack() : unknown;
  }

  /** Calls; `done` gets the unpacked answer, or null where none of the right type came, and nothing after destroy(). */
  call(method, parameters, type, done = () => {}) {
    if (!this._proxy) {
      done(null);
      return;
    }
    this._proxy.call(method, parameters, Gio.DBusCallFlags.NO_AUTO_START, CALL_TIMEOUT_MS, this._cancellable,
      (proxy, result) => {
        let answer = null;
        try {
          answer = proxy.call_finish(result);
        } catch (error) {
          report(error);
        }
        if (!this._cancellable.is_cancelled())
          done(answer?.get_type_string() === type ? answer.recursiveUnpack() : null);
      });
  }

  write(property, value) {
    this.call(`${PROPERTIES}.Set`, new GLib.Variant('(ssv)', [this._interface, property, value]), '()');
  }

  destroy() {
    this._handlers.forEach(handler => this._proxy.disconnect(handler));
    this._handlers = [];
    this._proxy = null;
  }
}

/**
 * The daemon, as far as the desktop shows it.
 *   changed()    something of state() has changed
 *   appeared()   the daemon is there, with its properties
 *   backends()   list of backends or their health may have changed
 */
export class Daemon {
  constructor({changed, appeared, backends}) {
    this._events = {changed, appeared, backends};
    this._cancellable = new Gio.Cancellable();
    this._heat = AWAY.heat;
    this._known = null;
    const {NONE, DO_NOT_LOAD_PROPERTIES} = Gio.DBusProxyFlags;
    const quiet = () => {};
    this._efficiency = new Service('Efficiency', NONE, this._cancellable,
      {owner: () => this._onOwner(), properties: changed, signal: quiet});
    this._system = new Service('SystemState', NONE, this._cancellable,
      {owner: changed, properties: changed, signal: quiet});
    this._thermal = new Service('Thermal', DO_NOT_LOAD_PROPERTIES, this._cancellable,
      {owner: () => this._askHeat(), properties: quiet, signal: (...signal) => this._onHeat(...signal)});
    this._backends = new Service('Backends', DO_NOT_LOAD_PROPERTIES, this._cancellable,
      {owner: backends, properties: quiet, signal: backends});
  }

  /** The unique name of the daemon on the bus, or null while it is away. */
  get owner() {
    return this._efficiency.owner;
  }

  /** A value of the shape of AWAY. */
  state() {
    const mode = this._efficiency.property('CurrentMode', 's', '');
    if (this.owner === null || !mode)
      return AWAY;
    return {
      present: true,
      mode,
      effective: this._efficiency.property('EffectiveMode', 's', mode),
      reason: this._efficiency.property('Reason', 's', ''),
      heat: this._heat,
      onBattery: this._system.property('OnBattery', 'b', null),
      battery: this._system.property('BatteryLevel', 'i', -1),
    };
  }

  quietHours() {
    return this._efficiency.property('QuietHours', '(bii)', null);
  }

  notifications() {
    return this._efficiency.property('Notifications', 'a{sb}', null);
  }

  setMode(id) {
    this._efficiency.call('SetEfficiencyMode', new GLib.Variant('(s)', [id]), '()');
  }

  setQuietHours(hours) {
    this._efficiency.write('QuietHours', new GLib.Variant('(bii)', hours));
  }

  setNotifications(switches) {
    this._efficiency.write('Notifications', new GLib.Variant('a{sb}', switches));
  }

  /** `done` gets [{id, name, healthy, watts, queued, celsius}], or null when no answer came. */
  listBackends(done) {
    this._backends.call('ListBackends', null, '(a(ssbiiddi))', answer => {
      done(answer && answer[0].map(([id, name, healthy, , watts, queued, celsius]) =>
        ({id, name, healthy, watts, queued, celsius})));
    });
  }

  _onOwner() {
    const {owner} = this;
    this._events.changed();
    if (owner !== null && owner !== this._known)
      this._events.appeared();
    this._known = owner;
  }

  /** Once per daemon; from then on its signals tell. */
  _askHeat() {
    this._setHeat(AWAY.heat);
    if (this._thermal.owner !== null) {
      this._thermal.call('GetThermalState', null, '(ddis)', answer => {
        if (answer)
          this._setHeat(answer[3]);
      });
    }
  }

  _onHeat(name, parameters) {
    if (name === 'ThermalEvent' && parameters.get_type_string() === '(sdds)')
      this._setHeat(parameters.recursiveUnpack()[0]);
    else if (name === 'ThermalRecovery')
      this._setHeat('normal');
  }

  _setHeat(heat) {
    this._heat = heat;
    this._events.changed();
  }

  destroy() {
    this._cancellable.cancel();
    [this._efficiency, this._system, this._thermal, this._backends].forEach(service => service.destroy());
  }
}
