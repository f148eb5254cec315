// Languages as rules know them. Pure.

/** `en-GB` is `en`: a region is no other language. */
export function languageOf(tag: string): string {
  const end = tag.indexOf('-');
  return end === -1 ? tag : tag.slice(0, end);
}
