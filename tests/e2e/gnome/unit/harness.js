// Just enough to test with: gjs brings nothing of the kind.

import {exit} from 'system';

const tests = [];

export function test(name, body) {
  tests.push({name, body});
}

/** By value; numbers as Object.is has them. */
export function equal(actual, expected) {
  const [a, b] = [actual, expected].map(value => JSON.stringify(value, (_key, one) =>
    typeof one === 'number' && !Number.isFinite(one) ? String(one) : one));
  if (a !== b)
    throw new Error(`${a} is not ${b}`);
}

/** Untranslated. */
export const english = text => text;

export function run() {
  let failed = 0;
  for (const {name, body} of tests) {
    try {
      body();
      print(`ok ${name}`);
    } catch (error) {
      failed++;
      print(`FAILED ${name}: ${error.message}\n${error.stack}`);
    }
  }
  print(`${tests.length} tests, ${failed} failed`);
  exit(failed || !tests.length ? 1 : 0);
}
