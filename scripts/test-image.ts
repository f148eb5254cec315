// npm run test:image: builds the Dockerfile for real and uses the result as an operator would. Needs root on a Debian with buildah and
// debootstrap; no container engine and no image registry.
//   -- --pull   use the base image that the Dockerfile names, from its registry, instead of a stand-in made here
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeBaseImage } from './test-image/base-image.ts';
import { createBuildah } from './test-image/buildah.ts';
import { CHECKS } from './test-image/checks.ts';
import { ended, output } from './test-image/command.ts';
import { sizeOf } from './test-image/size.ts';

const BASE = 'localhost/node:24-bookworm-slim';
const TAG = 'localhost/cartesia-broker:test';
const context = fileURLToPath(new URL('..', import.meta.url));
const pull = process.argv.includes('--pull');

const missing = await missingPrograms(['buildah', ...(pull ? [] : ['debootstrap'])]);
if (process.getuid?.() !== 0 || missing.length > 0) {
  console.error(
    `Needs root, and: apt-get install -y buildah debootstrap${missing.length > 0 ? ` (missing: ${missing})` : ''}`,
  );
  process.exit(1);
}

const storage = await mkdtemp(path.join(os.tmpdir(), 'broker-image-'));
try {
  process.exitCode = (await buildAndCheck()) === 0 ? 0 : 1;
} finally {
  await rm(storage, { recursive: true, force: true });
}

/** Returns how many checks failed. */
async function buildAndCheck(): Promise<number> {
  const buildah = createBuildah(storage);
  if (!pull) await timed(`base image assembled`, () => makeBaseImage(buildah, BASE));
  await timed('Dockerfile built', async () =>
    buildah.build({ context, tag: TAG, args: pull ? {} : { NODE_IMAGE: BASE }, files: await npmFiles(), pull }),
  );
  const image = await buildah.unpack(TAG);
  const { compressedBytes, unpackedBytes } = await sizeOf(image.folder);
  console.log(`# ${megabytes(unpackedBytes)} unpacked, ${megabytes(compressedBytes)} compressed`);

  let failed = 0;
  for (const [promise, check] of Object.entries(CHECKS)) {
    try {
      const remark = await check(image);
      console.log(`ok - the image ${promise}${remark === undefined ? '' : ` (${remark})`}`);
    } catch (error) {
      failed += 1;
      console.log(`not ok - the image ${promise}\n${error instanceof Error ? error.stack : error}`);
    }
  }
  console.log(`${Object.keys(CHECKS).length - failed} passed, ${failed} failed`);
  return failed;
}

async function timed(what: string, work: () => Promise<void>): Promise<void> {
  const start = performance.now();
  await work();
  console.log(`# ${what} in ${((performance.now() - start) / 1000).toFixed(0)} s`);
}

/** How this machine reaches the npm registry, if it is configured for that: npm's global settings and the CA file they name. */
async function npmFiles(): Promise<Record<string, string>> {
  const [settings, authorities] = await Promise.all(
    ['globalconfig', 'cafile'].map((name) => output('npm', ['config', 'get', name])),
  );
  const files: Record<string, string> = {};
  if (settings && existsSync(settings)) files['/usr/local/etc/npmrc'] = settings;
  if (authorities && existsSync(authorities)) files[authorities] = authorities;
  return files;
}

async function missingPrograms(names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => ended(name, ['--version'])));
  return names.filter((_, index) => found[index]?.code !== 0);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
