// A real Redis that speaks TLS and verifies its clients' certificates, with the files of both sides.
import { join } from 'node:path';
import type { Test } from 'tap';
import type { CertificateFiles } from '../../src/config/config.ts';
import type { Authority, Identity } from '../upstream/certificates.ts';
import { type RedisServer, redisServer } from './redis-server.ts';

export interface RedisWithTls {
  readonly redis: RedisServer;
  /** Redis's own files, in one directory with the others. `caFile`: the authority it trusts from its next start. */
  readonly files: CertificateFiles & { readonly caFile: string };
  /** The authority of its certificate. */
  readonly caFile: string;
  readonly client: CertificateFiles;
}

export interface RedisWithTlsOptions {
  readonly ofServers: Authority;
  readonly ofClients: Authority;
  readonly client: Identity;
}

/** Redis is reached as `localhost`. */
export async function redisWithTls(t: Test, options: RedisWithTlsOptions): Promise<RedisWithTls> {
  const { ofServers, ofClients, client } = options;
  const server = await ofServers.issue({ host: 'localhost' });
  const directory = t.testdir({
    'servers.pem': ofServers.cert,
    'clients.pem': ofClients.cert,
    'redis.pem': server.cert,
    'redis.key': server.key,
    'client.pem': client.cert,
    'client.key': client.key,
  });
  const at = (name: string): string => join(directory, name);
  const files = { certFile: at('redis.pem'), keyFile: at('redis.key'), caFile: at('clients.pem') };
  return {
    redis: await redisServer(t, { tls: files }),
    files,
    caFile: at('servers.pem'),
    client: { certFile: at('client.pem'), keyFile: at('client.key') },
  };
}
