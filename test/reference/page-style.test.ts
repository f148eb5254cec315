import { test } from 'tap';
import { PAGE_STYLE } from '../../src/reference/page-style.ts';

const [light = '', dark = ''] = [...PAGE_STYLE.text.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) => block);
const schemes = { light: tokens(light), dark: tokens(dark) };

/** Text colours and the backgrounds they are used on. */
const pairs = [
  ['ink', 'paper'],
  ['ink', 'panel'],
  ['ink', 'mark'],
  ['soft', 'paper'],
  ['soft', 'panel'],
  ['soft', 'mark'],
  ['accent', 'paper'],
  ['bad', 'paper'],
  ['get', 'paper'],
  ['get', 'mark'],
  ['get', 'get-paper'],
  ['post', 'post-paper'],
  ['string', 'panel'],
  ['key', 'panel'],
  ['literal', 'panel'],
  ['comment', 'panel'],
] as const;

for (const [scheme, colours] of Object.entries(schemes)) {
  test(`text is readable in the ${scheme} colours`, async (t) => {
    for (const [text, ground] of pairs) {
      const ratio = contrast(colours.get(text) ?? '', colours.get(ground) ?? '');
      t.ok(ratio >= 4.5, `${text} on ${ground}: ${ratio.toFixed(1)}`);
    }
  });
}

test('every colour that is used is defined', async (t) => {
  const used = [...PAGE_STYLE.text.matchAll(/var\(--([a-z-]+)\)/g)].map(([, name = '']) => name);
  t.strictSame(
    used.filter((name) => !new RegExp(`--${name}:`).test(light)),
    [],
  );
  for (const name of schemes.light.keys()) t.ok(schemes.dark.has(name), `${name} in the dark scheme`);
});

function tokens(block: string): ReadonlyMap<string, string> {
  return new Map(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name = '', colour = '']) => [name, colour]),
  );
}

/** @see https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio */
function contrast(one: string, other: string): number {
  const [dim = 0, bright = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dim + 0.05);
}

function luminance(colour: string): number {
  const [red = Number.NaN, green = Number.NaN, blue = Number.NaN] = [1, 3, 5]
    .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
