// How a subject appears in logs: recognisable across lines, not readable.
import { createHmac, randomBytes } from 'node:crypto';

/**
 * Subjects are user ids and mail addresses of somebody's customers. A plain hash of one can be found by hashing a list of candidates, so
 * the hash is keyed. The key lives as long as the process: one user's lines can be followed within a replica's run, not beyond it.
 */
export type SubjectHash = (client: string, subject: string) => string;

/** Most subjects remembered; hashing again costs two microseconds. */
const REMEMBERED_MAX = 10_000;

export function createSubjectHash(key: Uint8Array = randomBytes(32)): SubjectHash {
  const remembered = new Map<string, string>();
  return (client, subject) => {
    const text = `${client.length}:${client}${subject}`;
    let hash = remembered.get(text);
    if (hash === undefined) {
      hash = createHmac('sha256', key).update(text).digest('base64url').slice(0, 16);
      if (remembered.size >= REMEMBERED_MAX) remembered.clear();
      remembered.set(text, hash);
    }
    return hash;
  };
}
