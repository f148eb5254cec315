import { createProxyServer } from 'httpxy';
import { agent, createServer, listen, UPSTREAM } from './listener.js';

const proxy = createProxyServer({ target: UPSTREAM, ws: true, agent });
proxy.on('error', () => {});
const server = createServer((request, response) => proxy.web(request, response).catch(() => {}));
server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, {}, head).catch(() => {}));
listen(server);
