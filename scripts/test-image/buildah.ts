// Images without an engine: buildah, with all that it stores in one folder that the test throws away.
import path from 'node:path';
import { output } from './command.ts';

/** What an image says about how it is to be run, in Docker's words. */
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
  /** Files of this machine that only the build sees, read-only: path there -> path here. */
  readonly files?: Readonly<Record<string, string>>;
  /** Where the base may come from: what is stored here, or a registry too. */
  readonly pull: boolean;
}

export type Buildah = ReturnType<typeof createBuildah>;

/** @param storage a folder; with the driver `vfs` nothing of the kernel is needed, and nothing stays mounted */
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
    /** Makes an image of a folder, which `fill` fills. */
    async imageOf(tag: string, env: Readonly<Record<string, string>>, fill: (folder: string) => Promise<void>) {
      const container = await run('from', 'scratch');
      await fill(await run('mount', container));
      for (const [name, value] of Object.entries(env)) await run('config', '--env', `${name}=${value}`, container);
      await run('commit', '--quiet', '--rm', container, tag);
    },

    /** In Docker's format: OCI's knows no health check. */
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

    /** A folder with the files of the image, and how it wants to be run. */
    async unpack(tag: string): Promise<{ readonly folder: string; readonly config: ImageConfig }> {
      const container = await run('from', '--pull-never', tag);
      const folder = await run('mount', container);
      const inspected = JSON.parse(await run('inspect', '--type=image', tag)) as { Docker: { config: ImageConfig } };
      return { folder, config: inspected.Docker.config };
    },
  };
}
