// Builds keys for maps and stores from several strings.

/**
 * Joins parts so that no two different lists give the same key: (`a:b`, `c`) and (`a`, `b:c`) differ, because each part
 * is preceded by its length.
 */
export function storeKey(...parts: readonly string[]): string {
  let key = '';
  for (const part of parts) key += `${part.length}:${part}`;
  return key;
}
