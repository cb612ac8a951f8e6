// From the settings to what the daemon is told. What the user never touched is not handed over: there the daemon's own
// configuration counts.

const KINDS = {
  'notify-on-mode-change': ['mode_changes', 'low_battery'],
  'notify-on-backend-failure': ['backend_health', 'device_lost'],
  'notify-on-thermal-throttle': ['thermal'],
};

const HOURS = ['auto-quiet-hours-enabled', 'auto-quiet-hours-start', 'auto-quiet-hours-end'];

const touched = (settings, key) => settings.get_user_value(key) !== null;

/** [enabled, first hour, first hour that is not quiet], or null. */
export function quietHours(settings) {
  if (!HOURS.some(key => touched(settings, key)))
    return null;
  const [enabled, start, end] = HOURS;
  return [settings.get_boolean(enabled), settings.get_int(start), settings.get_int(end)];
}

/** {kind: shown}, or null. */
export function notifications(settings) {
  const wish = {};
  for (const [key, kinds] of Object.entries(KINDS)) {
    if (touched(settings, key))
      kinds.forEach(kind => (wish[kind] = settings.get_boolean(key)));
  }
  return Object.keys(wish).length ? wish : null;
}

/** Whether the daemon has [enabled, start, end] already. */
export function sameHours(wish, current) {
  return Array.isArray(current) && wish.every((value, index) => value === current[index]);
}

/** Whether the daemon's switches agree with those of the wish. */
export function sameSwitches(wish, current) {
  return current !== null && Object.entries(wish).every(([kind, shown]) => current[kind] === shown);
}
