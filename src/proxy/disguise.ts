// Names that are none of the API's to a strict JSON reader, and one of them to a lenient one.

/**
 * @param known names as the API writes them: lower-case ASCII
 * @returns the name that a reader which folds letters would take this one for; `null` where it is that name, or like none
 */
export function disguiseOf(name: string, known: ReadonlySet<string>): string | null {
  if (known.has(name)) return null;
  // Upper case first: it also unfolds the letters outside ASCII that equal one inside (U+017F, U+212A).
  const meant = name.toUpperCase().toLowerCase();
  return known.has(meant) ? meant : null;
}
