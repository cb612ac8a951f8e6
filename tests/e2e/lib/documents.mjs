// What stands in the documentation and must work.
import { readFileSync } from 'node:fs';

/** The first example for browsers in a document. */
export function exampleOf(url) {
  const found = /^```javascript\n(.*?)^```$/ms.exec(readFileSync(url, 'utf8'));
  if (!found) throw new Error(`${url} has no example in JavaScript`);
  return found[1];
}
