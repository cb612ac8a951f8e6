// What the tile, its menu and the indicator show, as plain values from plain values.

import {AUTO, findMode, modeTitle} from './modes.js';
import {fill, isolated, oneLine} from './text.js';

/** More backends than this are counted, not listed. */
export const MOST_ROWS = 12;

/** What is known while the daemon is away. */
export const AWAY = Object.freeze({
  present: false,
  mode: '',
  effective: '',
  reason: '',
  heat: 'unknown',
  onBattery: null,
  battery: -1,
});

const HEAT = new Map(Object.entries({
  elevated: {title: _ => _('warm'), style: 'ollama-proxy-elevated'},
  high: {title: _ => _('hot'), style: 'ollama-proxy-high'},
  critical: {title: _ => _('critically hot'), style: 'ollama-proxy-critical'},
  'fan-stopped': {title: _ => _('fan stands still'), style: 'ollama-proxy-critical'},
  normal: {title: _ => _('normal'), style: ''},
}));

/** Every style that heat can bring, for taking off what was put on before. */
export const HEAT_STYLES = [...new Set([...HEAT.values()].map(heat => heat.style))].filter(Boolean);

/** The mode, and behind it the one that applies where that is another. */
export function modeText({mode, effective}, _) {
  const title = modeTitle(oneLine(mode), _);
  if (!effective || effective === mode)
    return title;
  return fill(_('%s: %s'), title, modeTitle(oneLine(effective), _));
}

/** Why the mode that applies does, or '' where there is nothing to explain. */
export function reasonText(reason, _) {
  const [, kind, value] = /^(battery|thermal-high|thermal-critical)-(\d{1,3})$/.exec(reason) ?? [];
  switch (kind ?? reason) {
  case 'battery': return fill(_('battery at %s %'), value);
  case 'thermal-high':
  case 'thermal-critical': return fill(_('%s °C hot'), value);
  case 'on-battery': return _('on battery');
  case 'ac-connected': return _('plugged in');
  case 'quiet-hours': return _('quiet hours');
  case 'power-profile': return _('power profile');
  default: return '';
  }
}

/**
 * The tile: `visible`, `checked` (Auto), `icon`, `title`, `subtitle`, `header` of its menu, `accessibleName`, and
 * `label` for shells where it has one short line only; there `checked` alone tells of Auto.
 */
export function tileView(state, _) {
  const title = _('AI Efficiency');
  if (!state.present) {
    return {visible: false, checked: false, icon: findMode(AUTO).icon, title, subtitle: '', header: '',
      label: title, accessibleName: title};
  }
  const subtitle = modeText(state, _);
  const reason = reasonText(state.reason, _);
  return {
    visible: true,
    checked: state.mode === AUTO,
    icon: (findMode(state.mode) ?? findMode(AUTO)).icon,
    title,
    subtitle,
    header: reason ? fill(_('%s (%s)'), subtitle, reason) : subtitle,
    label: fill(_('AI · %s'), modeTitle(oneLine(state.effective || state.mode), _)),
    accessibleName: fill(_('%s, %s'), title, subtitle),
  };
}

/** One backend's line: `name`, `details`, `accessibleName`. */
export function backendRow(backend, _) {
  const name = oneLine(backend.name) || oneLine(backend.id);
  const details = [
    backend.healthy ? _('ready') : _('down'),
    backend.watts >= 0 && fill(_('%s W'), backend.watts),
    Number.isFinite(backend.celsius) && fill(_('%s °C'), Math.round(backend.celsius)),
    fill(_('%s waiting'), Math.round(backend.queued)),
  ].filter(Boolean).join(' · ');
  return {name, details, healthy: backend.healthy, accessibleName: fill(_('%s, %s'), isolated(name), details)};
}

/** The lines of the backends; what is too many for a menu is said in the last one. */
export function backendRows(backends, _) {
  const rows = backends.slice(0, MOST_ROWS).map(backend => backendRow(backend, _));
  const more = backends.length - rows.length;
  if (more > 0) {
    const name = fill(_('and %s more'), more);
    rows.push({name, details: '', healthy: true, accessibleName: name});
  }
  return rows;
}

/** The line for heat and power; the degrees are those of the hottest backend. '' when nothing is known. */
export function machineText(state, backends, _) {
  const hottest = Math.max(...backends.map(backend => backend.celsius).filter(Number.isFinite));
  const heat = HEAT.get(state.heat);
  const level = state.battery >= 0 ? fill(_('%s %'), state.battery) : '';
  return [
    heat && fill(_('Heat: %s'), heat.title(_)),
    Number.isFinite(hottest) && fill(_('%s °C'), Math.round(hottest)),
    state.onBattery === true && (level ? fill(_('on battery, %s'), level) : _('on battery')),
    state.onBattery === false && (level ? fill(_('plugged in, %s'), level) : _('plugged in')),
  ].filter(Boolean).join(' · ');
}

/** The panel's indicator. `wish` is {show, mode, count}: the settings. */
export function indicatorView(state, backends, wish, _) {
  const ready = backends.filter(backend => backend.healthy).length;
  const label = [
    wish.mode && modeText(state, _),
    wish.count && `${ready}/${backends.length}`,
  ].filter(Boolean).join(' ');
  const {icon, accessibleName} = tileView(state, _);
  return {visible: state.present && wish.show, icon, label, style: HEAT.get(state.heat)?.style ?? '', accessibleName};
}
