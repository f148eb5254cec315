// Language tags as content rules compare them. Pure.

/** `en-GB` -> `en`: another region is not another language. */
export function languageOf(tag: string): string {
  const end = tag.indexOf('-');
  return end === -1 ? tag : tag.slice(0, end);
}
