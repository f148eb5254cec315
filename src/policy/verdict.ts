// The answer to whether a caller may do something.

export type Verdict =
  | { readonly outcome: 'allowed' }
  /** `message` is for the caller. */
  | { readonly outcome: 'denied'; readonly message: string };

export const ALLOWED: Verdict = { outcome: 'allowed' };

export function denied(message: string): Verdict {
  return { outcome: 'denied', message };
}
