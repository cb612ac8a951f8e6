// The German catalogue that the packed extension brings; ARGV[0] is its folder "locale".
import Gettext from 'gettext';

import {modeTitle} from '../../../../gnome-extension/lib/modes.js';
import {reasonText} from '../../../../gnome-extension/lib/view.js';

import {equal, run, test} from './harness.js';

const DOMAIN = 'ollamaproxy@anthropic.com';

test('German texts are found and filled', () => {
  Gettext.setlocale(Gettext.LocaleCategory.ALL, '');
  Gettext.bindtextdomain(DOMAIN, ARGV[0]);
  const _ = Gettext.domain(DOMAIN).gettext;
  equal(modeTitle('UltraEfficiency', _), 'Äußerst sparsam');
  equal(reasonText('battery-42', _), 'Akku bei 42 %');
});

run();
