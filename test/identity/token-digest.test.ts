import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { test } from 'tap';
import { tokenDigest } from '../../src/identity/token-digest.ts';

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('base64url');

test("a token's digest covers its whole text, whatever token the connection carried before", async (t) => {
  const [one, other] = [new PassThrough(), new PassThrough()];
  const token = 'a'.repeat(600);
  for (const text of [token, token, `${token}b`, token, `b${token}`, '', token.slice(1), token]) {
    for (const connection of [one, other, null]) t.equal(tokenDigest(text, connection), sha256(text));
  }
});
