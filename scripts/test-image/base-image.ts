// A stand-in for the official Node image where no image registry is reachable: Debian from its archive, Node and npm from this
// machine. The Dockerfile gets its name as a build argument and builds on it as on the real one.

import { existsSync } from 'node:fs';
import { cp, mkdir, rename, rm, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Buildah } from './buildah.ts';
import { output } from './command.ts';

const SUITE = 'bookworm';

/** What Debian's installer leaves behind that is of no use in an image. */
const LEFTOVERS = ['var/cache/apt', 'var/lib/apt/lists', 'var/log'];

/** Needs `debootstrap`. The Node that runs this becomes the image's. */
export async function makeBaseImage(buildah: Buildah, tag: string): Promise<void> {
  const npm = path.resolve(process.env['npm_execpath'] ?? '', '../..');
  if (path.basename(npm) !== 'npm') throw new Error('to be run by npm: npm run test:image');
  const debian = await debianArchive();
  await buildah.imageOf(
    tag,
    { PATH: '/usr/local/bin:/usr/bin:/bin', NODE_VERSION: process.versions.node },
    async (root) => {
      await output('tar', ['-xf', debian, '-C', root]);
      await cp(process.execPath, path.join(root, 'usr/local/bin/node'));
      await cp(npm, path.join(root, 'usr/local/lib/node_modules/npm'), { recursive: true });
      await symlink('../lib/node_modules/npm/bin/npm-cli.js', path.join(root, 'usr/local/bin/npm'));
    },
  );
}

/** Debian's smallest system as a tar file. Made once and kept, since it takes most of a minute. */
async function debianArchive(): Promise<string> {
  const cache = path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'cartesia-broker');
  const archive = path.join(cache, `debian-${SUITE}-${process.arch}.tar`);
  if (existsSync(archive)) return archive;

  await mkdir(cache, { recursive: true });
  const root = path.join(cache, `debootstrap-${process.pid}`);
  try {
    await output('debootstrap', ['--variant=minbase', SUITE, root]);
    await Promise.all(LEFTOVERS.map((name) => rm(path.join(root, name), { recursive: true })));
    await output('tar', ['-cf', `${archive}.${process.pid}`, '--one-file-system', '-C', root, '.']);
    await rename(`${archive}.${process.pid}`, archive); // atomic: an interrupted run leaves no half archive
  } finally {
    await rm(root, { recursive: true, force: true });
  }
  return archive;
}
