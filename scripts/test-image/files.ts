// Lists the files of an image, and tells which of them a user could write to.
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';

export interface ImageFile {
  /** From the root of the image, with a leading slash. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly kind: 'file' | 'folder' | 'other';
}

export function* filesIn(root: string, folder = '/'): Generator<ImageFile> {
  for (const name of readdirSync(path.join(root, folder))) {
    const file = path.posix.join(folder, name);
    const stat = lstatSync(path.join(root, file));
    const kind = stat.isDirectory() ? 'folder' : stat.isFile() ? 'file' : 'other';
    yield { path: file, uid: stat.uid, gid: stat.gid, mode: stat.mode & 0o7777, kind };
    if (kind === 'folder') yield* filesIn(root, file);
  }
}

/** By file modes alone, apart from the read-only root. */
export function isWritableBy(file: ImageFile, uid: number, gid: number): boolean {
  if (file.uid === uid) return true; // the owner can grant itself the right
  if (file.gid === gid) return (file.mode & 0o020) !== 0;
  return (file.mode & 0o002) !== 0;
}
