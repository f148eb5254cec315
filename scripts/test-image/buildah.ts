// Builds images without a container engine: buildah, storing everything in one folder that the test throws away.
import path from 'node:path';
import { output } from './command.ts';

/** How an image is to be run, in Docker's terms. */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
  readonly StopSignal: string;
  readonly ExposedPorts: Readonly<Record<string, unknown>>;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

export interface BuildOptions {
  readonly context: string;
  readonly tag: string;
  readonly args?: Readonly<Record<string, string>>;
  /** Files of this machine mounted read-only during the build: path in the build -> path on this machine. */
  readonly files?: Readonly<Record<string, string>>;
  /** Whether the base image is pulled from its registry; otherwise it must be in the local storage. */
  readonly pull: boolean;
}

export type Buildah = ReturnType<typeof createBuildah>;

/** @param storage a folder; the driver `vfs` needs no kernel support and leaves nothing mounted */
export function createBuildah(storage: string) {
  const run = (...args: string[]): Promise<string> =>
    output('buildah', [
      '--root',
      path.join(storage, 'root'),
      '--runroot',
      path.join(storage, 'run'),
      '--storage-driver',
      'vfs',
      ...args,
    ]);
  return {
    /** Makes an image from a folder that `fill` fills. */
    async imageOf(tag: string, env: Readonly<Record<string, string>>, fill: (folder: string) => Promise<void>) {
      const container = await run('from', 'scratch');
      await fill(await run('mount', container));
      for (const [name, value] of Object.entries(env)) await run('config', '--env', `${name}=${value}`, container);
      await run('commit', '--quiet', '--rm', container, tag);
    },

    /** Builds in Docker's format: OCI's has no health check. */
    async build({ context, tag, args = {}, files = {}, pull }: BuildOptions): Promise<void> {
      await run(
        'bud',
        '--isolation=chroot',
        '--format=docker',
        pull ? '--pull' : '--pull-never',
        ...Object.entries(args).map(([name, value]) => `--build-arg=${name}=${value}`),
        ...Object.entries(files).map(([there, here]) => `--volume=${here}:${there}:ro`),
        `--tag=${tag}`,
        context,
      );
    },

    /** A folder with the image's files, and the image's configuration. */
    async unpack(tag: string): Promise<{ readonly folder: string; readonly config: ImageConfig }> {
      const container = await run('from', '--pull-never', tag);
      const folder = await run('mount', container);
      const inspected = JSON.parse(await run('inspect', '--type=image', tag)) as { Docker: { config: ImageConfig } };
      return { folder, config: inspected.Docker.config };
    },
  };
}
