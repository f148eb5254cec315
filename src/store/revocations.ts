// What an operator has revoked and not allowed again.

/** Everything; a whole client app; one subject of it; one access token. */
export type Revocation =
  | { readonly scope: 'everything' }
  | { readonly scope: 'client'; readonly client: string }
  | { readonly scope: 'subject'; readonly client: string; readonly subject: string }
  /** `untilMs`: when the token expires by itself; epoch milliseconds. */
  | { readonly scope: 'token'; readonly token: string; readonly untilMs: number };

export interface RevocationStore {
  /** All revocations in force. */
  list(): Promise<readonly Revocation[]>;
  add(one: Revocation): Promise<void>;
  /** @returns whether it was there */
  remove(one: Revocation): Promise<boolean>;
  /** Changes with every change of the list. */
  version(): Promise<string>;
}
