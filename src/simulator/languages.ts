// The languages that the simulated account speaks and understands.
const LANGUAGES = new Set(
  'en fr de es pt zh ja hi it ko nl pl ru sv tr tl bg ro ar cs el fi hr ms sk da ta uk hu no vi bn th he ka id te gu kn ml mr pa'.split(
    ' ',
  ),
);

/** A language code, or a locale such as `en-GB`. */
export function isLanguage(code: string): boolean {
  return LANGUAGES.has(code.split('-', 1)[0] ?? '');
}
