// The server that runs a peer's handler: HTTP, or HTTPS if the benchmark gives a certificate.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

/** Where requests are forwarded to. */
export const UPSTREAM = process.env.UPSTREAM_URL;

const { PORT, CERT_FILE, KEY_FILE } = process.env;
const tls = CERT_FILE ? { cert: readFileSync(CERT_FILE), key: readFileSync(KEY_FILE) } : null;

/** The options that make Fastify listen with TLS. */
export const fastifyTls = tls === null ? {} : { https: tls };

/** Keeps connections to upstream open, up to 1,024. */
export const agent = new (UPSTREAM?.startsWith('https:') ? https : http).Agent({ keepAlive: true, maxSockets: 1024 });

export function createServer(handler) {
  return tls === null ? http.createServer(handler) : https.createServer(tls, handler);
}

export function listen(server) {
  server.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 8192 });
}

export async function listenFastify(app) {
  await app.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 8192 });
}
