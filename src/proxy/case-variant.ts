// Detects field names that only a lenient JSON reader, which ignores case, takes for one of the API's names.

/**
 * @param known names as the API writes them: lower-case ASCII
 * @returns the known name that a case-folding reader would take `name` for; `null` if it is exactly a known name, or like none
 */
export function caseVariantOf(name: string, known: ReadonlySet<string>): string | null {
  if (known.has(name)) return null;
  // Upper case first: this also maps the non-ASCII letters that fold to ASCII ones (U+017F, U+212A).
  const meant = name.toUpperCase().toLowerCase();
  return known.has(meant) ? meant : null;
}
