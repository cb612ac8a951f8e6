// Text that comes from elsewhere, made fit for one line of a menu.

export const LONGEST = 60;

// Line breaks, control characters, and the marks that turn the direction of what follows them.
// eslint-disable-next-line no-control-regex
const UNFIT = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g;

/** One line of at most `longest` characters; what was cut off is shown by an ellipsis. */
export function oneLine(text, longest = LONGEST) {
  const fit = String(text).slice(0, 4 * longest).replace(UNFIT, ' ').replace(/ {2,}/g, ' ').trim();
  const characters = Array.from(fit);
  if (characters.length <= longest && String(text).length <= 4 * longest)
    return fit;
  return `${characters.slice(0, longest - 1).join('').trimEnd()}…`;
}

/** For use inside another text: keeps its direction to itself, whatever that is. */
export function isolated(text) {
  return `\u2068${text}\u2069`;
}

/** `template` with its %s replaced, in order. */
export function fill(template, ...values) {
  return template.replace(/%s/g, () => String(values.shift() ?? ''));
}
