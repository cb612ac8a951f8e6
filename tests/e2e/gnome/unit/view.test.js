import {MODES, clickedMode, findMode, modeTitle} from '../../../../gnome-extension/lib/modes.js';
import {LONGEST, fill, oneLine} from '../../../../gnome-extension/lib/text.js';
import * as View from '../../../../gnome-extension/lib/view.js';

import {english as _, equal, run, test} from './harness.js';

const HERE = {...View.AWAY, present: true, mode: 'Auto', effective: 'Quiet', reason: 'quiet-hours', heat: 'normal',
  onBattery: true, battery: 42};
const NPU = {id: 'npu', name: 'NPU', healthy: true, watts: 3, queued: 2, celsius: 51.4};
const UNKNOWN = {id: 'x', name: '', healthy: false, watts: -1, queued: 0, celsius: NaN};

test('There are the six modes, each with an icon of its own', () => {
  equal(MODES.map(mode => mode.id),
    ['Performance', 'Balanced', 'Efficiency', 'Quiet', 'Auto', 'UltraEfficiency']);
  equal(new Set(MODES.map(mode => mode.icon)).size, 6);
  equal(findMode('constructor'), null);
  equal(modeTitle('Turbo', _), 'Turbo');
});

test('A click goes to Auto, and from there to the mode before, else the default, else Balanced', () => {
  equal(clickedMode('Quiet', '', 'Auto'), 'Auto');
  equal(clickedMode('Auto', 'Quiet', 'Performance'), 'Quiet');
  equal(clickedMode('Auto', '', 'Performance'), 'Performance');
  equal(clickedMode('Auto', 'Auto', 'Auto'), 'Balanced');
  equal(clickedMode('Auto', 'nonsense', 'Quiet'), 'Quiet');
});

test('The tile is hidden while the daemon is away', () => {
  const {visible, checked} = View.tileView(View.AWAY, _);
  equal([visible, checked], [false, false]);
});

test('Auto shows what applies, and the header why', () => {
  const view = View.tileView(HERE, _);
  equal([view.visible, view.checked, view.subtitle, view.header],
    [true, true, 'Auto: Quiet', 'Auto: Quiet (quiet hours)']);
  equal([view.label, view.accessibleName], ['AI · Quiet', 'AI Efficiency, Auto: Quiet']);
});

test('A mode set by hand is shown alone unless heat overrides it', () => {
  equal(View.modeText({mode: 'Quiet', effective: 'Quiet'}, _), 'Quiet');
  equal(View.modeText({mode: 'Quiet', effective: ''}, _), 'Quiet');
  equal(View.modeText({mode: 'Quiet', effective: 'UltraEfficiency'}, _), 'Quiet: Ultra Efficiency');
});

test('Reasons are said in words, and what is not known is not said', () => {
  equal(['battery-42', 'thermal-critical-91', 'ac-connected', 'user', '', 'battery-', 'thermal-high-9999']
    .map(reason => View.reasonText(reason, _)), ['battery at 42 %', '91 °C hot', 'plugged in', '', '', '', '']);
});

test('A backend has name, state, watts, temperature and queue, without what is not known', () => {
  const {name, details} = View.backendRow(NPU, _);
  equal([name, details], ['NPU', 'ready · 3 W · 51 °C · 2 waiting']);
  const unknown = View.backendRow(UNKNOWN, _);
  equal([unknown.name, unknown.details], ['x', 'down · 0 waiting']);
});

test('Backends that are too many are counted', () => {
  const rows = View.backendRows(Array(200).fill(NPU), _);
  equal(rows.length, View.MOST_ROWS + 1);
  equal(rows.at(-1).name, 'and 188 more');
  equal(View.backendRows([], _), []);
});

test('Heat and power are one line', () => {
  equal(View.machineText(HERE, [UNKNOWN, NPU], _), 'Heat: normal · 51 °C · on battery, 42 %');
  equal(View.machineText({...HERE, heat: 'critical', onBattery: false, battery: -1}, [], _),
    'Heat: critically hot · plugged in');
  equal(View.machineText({...HERE, heat: 'fan-stopped', onBattery: false, battery: -1}, [], _),
    'Heat: fan stands still · plugged in');
  equal(View.machineText({...HERE, heat: 'unknown', onBattery: null}, [UNKNOWN], _), '');
  equal(View.machineText({...HERE, heat: 'toString', onBattery: null}, [], _), '');
});

test('The indicator shows what is wished, and heat as a style', () => {
  const wish = {show: true, mode: true, count: true};
  const hot = {...HERE, heat: 'high'};
  const view = View.indicatorView(hot, [NPU, UNKNOWN], wish, _);
  equal([view.visible, view.label, view.style], [true, 'Auto: Quiet 1/2', 'ollama-proxy-high']);
  equal(View.indicatorView(hot, [], {...wish, show: false}, _).visible, false);
  equal(View.indicatorView(View.AWAY, [], wish, _).visible, false);
  equal(View.indicatorView({...HERE, heat: 'toString'}, [], {}, _).style, '');
});

test('Text from elsewhere becomes one short line', () => {
  equal(oneLine('a\nb\u0000\tc\u202ed\u2066'), 'a b c d');
  equal(Array.from(oneLine('x'.repeat(10240))).length, LONGEST);
  equal(oneLine('x'.repeat(LONGEST)), 'x'.repeat(LONGEST));
  equal(oneLine('😀'.repeat(5000)).endsWith('😀…'), true);
  equal(oneLine('<b>&amp;'), '<b>&amp;');
  equal(oneLine('\u200b\u200f \n'), '');
});

test('Values with patterns of replacement in them are taken as they are', () => {
  equal(fill('%s (%s)', '$&', '%s'), '$& (%s)');
});

run();
