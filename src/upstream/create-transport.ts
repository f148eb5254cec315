// Creates the transport that the configuration asks for, and loads only that one.
import type { Config } from '../config/config.ts';
import type { ConnectionPoolOptions } from './connection-pool.ts';
import type { UpstreamTransport } from './transport.ts';

export async function createTransport(
  kind: Config['upstream']['transport'],
  options: ConnectionPoolOptions,
): Promise<UpstreamTransport> {
  switch (kind) {
    case 'native': {
      const { createHttp1Transport } = await import('./http1-transport.ts');
      return createHttp1Transport(options);
    }
    case 'undici': {
      const { createUndiciTransport } = await import('./undici-transport.ts');
      return createUndiciTransport(options);
    }
  }
}
