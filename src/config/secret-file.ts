// Reads secrets that are provided as files: Docker and Kubernetes secrets, systemd credentials.
import { readFileSync, statSync } from 'node:fs';

/** Far more than any key ring needs; a larger file is the wrong file. */
const MAX_BYTES = 65_536;

export type FileText = { readonly text: string } | { readonly wrong: string };

/**
 * The text of a secret's file without the line breaks at its end, or what is wrong with it, naming the path but never
 * the content.
 * @param pathAsGiven how the operator wrote the path
 */
export function readSecretFile(path: string, pathAsGiven = path): FileText {
  const shown = shownPath(pathAsGiven);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return { wrong: `cannot read ${shown}: ${fileTrouble(error)}` };
  }
  if (bytes.length > MAX_BYTES) return { wrong: `${shown} is larger than ${MAX_BYTES} bytes` };
  const text = bytes
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .replace(/[\r\n]+$/, '');
  return text === '' ? { wrong: `${shown} is empty` } : { text };
}

/** Whether a path is a pipe or a terminal (`<(pass show key)`, /dev/stdin), which can be read once: reading again would wait for input. */
export function isReadOnce(path: string): boolean {
  try {
    const stats = statSync(path);
    return !stats.isFile() && !stats.isDirectory();
  } catch {
    return false; // it is missing, which the reader reports
  }
}

/** Why a file could not be read, in words; the system's own message would repeat the path. */
export function fileTrouble(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'this user may not read it';
    case 'EISDIR':
      return 'it is a directory';
    default:
      return typeof code === 'string' ? `it cannot be read (${code})` : 'it cannot be read';
  }
}

/** A path as it may be shown: a secret given in place of its path looks like a relative path of one segment. */
export function shownPath(path: string): string {
  const isPlainlyAPath = /^(?:\.{0,2}\/|[A-Za-z]:[\\/])/.test(path) && path.length <= 1_024 && !/[\s,]/.test(path);
  return isPlainlyAPath
    ? path
    : 'the file (its path is not shown: without / or ./ in front it may be the secret itself)';
}
