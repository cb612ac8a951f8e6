// What the JavaScript of the desktop is checked with; gjs and the shell give the globals.

import js from '@eslint/js';

const GJS = Object.fromEntries(['console', 'print', 'ARGV', 'globalThis'].map(name => [name, 'readonly']));
const SHELL = Object.fromEntries(['global', 'imports'].map(name => [name, 'readonly']));

const RULES = {
  'array-callback-return': 'error',
  'arrow-parens': ['error', 'as-needed'],
  'camelcase': ['error', {properties: 'never'}],
  'consistent-return': 'error',
  'curly': ['error', 'multi-or-nest', 'consistent'],
  'eqeqeq': 'error',
  'no-implicit-globals': 'off',
  'no-shadow': 'error',
  'no-unused-vars': ['error', {argsIgnorePattern: '^_', varsIgnorePattern: '^(init|fillPreferencesWindow)$'}],
  'no-var': 'error',
  'object-shorthand': 'error',
  'prefer-const': 'error',
  'prefer-template': 'error',
  'quotes': ['error', 'single', {avoidEscape: true, allowTemplateLiterals: false}],
  'semi': ['error', 'always'],
};

export default [
  js.configs.recommended,
  {files: ['**/*.js', '**/*.mjs'], languageOptions: {ecmaVersion: 2022, sourceType: 'module', globals: GJS}, rules: RULES},
  {
    files: ['**/legacy/*.js', '**/legacy.js', '**/probe.js'],
    languageOptions: {sourceType: 'script', globals: SHELL},
  },
  {files: ['**/probe.js'], languageOptions: {globals: {Main: 'readonly', probe: 'readonly'}}},
  {files: ['**/esm.js'], languageOptions: {globals: SHELL}},
];
