// The six efficiency modes, as the daemon names them and as people read them.

/** Marks a text for translation where it stands in a table. */
const N_ = text => text;

export const AUTO = 'Auto';

export const MODES = [
  {id: 'Performance', title: N_('Performance'), icon: 'ollamaproxy-performance-symbolic'},
  {id: 'Balanced', title: N_('Balanced'), icon: 'ollamaproxy-balanced-symbolic'},
  {id: 'Efficiency', title: N_('Efficiency'), icon: 'ollamaproxy-efficiency-symbolic'},
  {id: 'Quiet', title: N_('Quiet'), icon: 'ollamaproxy-quiet-symbolic'},
  {id: AUTO, title: N_('Auto'), icon: 'ollamaproxy-auto-symbolic'},
  {id: 'UltraEfficiency', title: N_('Ultra Efficiency'), icon: 'ollamaproxy-ultra-symbolic'},
];

/** The row of MODES with this id, or null. */
export function findMode(id) {
  return MODES.find(mode => mode.id === id) ?? null;
}

/** What people read; a mode that a later daemon may have is shown as it calls itself. */
export function modeTitle(id, _) {
  const mode = findMode(id);
  return mode ? _(mode.title) : id;
}

/** The mode that a click sets: Auto, or from Auto back to `previous`, or to `fallback` where that is not known. */
export function clickedMode(current, previous, fallback) {
  if (current !== AUTO)
    return AUTO;
  return [previous, fallback].find(id => id !== AUTO && findMode(id)) ?? 'Balanced';
}
