import {notifications, quietHours, sameHours, sameSwitches} from '../../../../gnome-extension/lib/policy.js';

import {equal, run, test} from './harness.js';

const DEFAULTS = {
  'notify-on-mode-change': true,
  'notify-on-backend-failure': true,
  'notify-on-thermal-throttle': true,
  'auto-quiet-hours-enabled': false,
  'auto-quiet-hours-start': 22,
  'auto-quiet-hours-end': 7,
};

/** Settings of which the user touched these. */
const settings = touched => ({
  get_user_value: key => (key in touched ? touched[key] : null),
  get_boolean: key => ({...DEFAULTS, ...touched})[key],
  get_int: key => ({...DEFAULTS, ...touched})[key],
});

test('What was never touched is left to the daemon', () => {
  equal([quietHours(settings({})), notifications(settings({}))], [null, null]);
});

test('One touched hour hands over all three', () => {
  equal(quietHours(settings({'auto-quiet-hours-start': 20})), [false, 20, 7]);
  equal(quietHours(settings({'auto-quiet-hours-enabled': true})), [true, 22, 7]);
});

test('A switch hands over its kinds and no others', () => {
  equal(notifications(settings({'notify-on-backend-failure': false})),
    {backend_health: false, device_lost: false});
  equal(notifications(settings({'notify-on-mode-change': true, 'notify-on-thermal-throttle': false})),
    {mode_changes: true, low_battery: true, thermal: false});
});

test('What the daemon has already is the same', () => {
  equal([sameHours([true, 22, 7], [true, 22, 7]), sameHours([true, 22, 7], [false, 22, 7]), sameHours([true, 22, 7], null)],
    [true, false, false]);
  equal([sameSwitches({thermal: true}, {thermal: true, other: false}), sameSwitches({thermal: true}, {thermal: false}),
    sameSwitches({thermal: true}, null)], [true, false, false]);
});

run();
