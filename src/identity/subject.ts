// Which texts may be a subject. Pure.

/** For any subject: one that a JWT names may be longer than one in a header. OpenID Connect Core §2 limits `sub` to 255 ASCII characters. */
export const MAX_SUBJECT_LENGTH = 255;

/** Printable ASCII without a space at either end, so that it survives headers and log lines unchanged. */
export function isSubject(text: string, maxLength: number): boolean {
  return text.length <= maxLength && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text);
}
