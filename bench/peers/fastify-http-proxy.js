import httpProxy from '@fastify/http-proxy';
import Fastify from 'fastify';
import { fastifyTls, listenFastify, UPSTREAM } from './listener.js';

const app = Fastify(fastifyTls);
await app.register(httpProxy, { upstream: UPSTREAM, websocket: true });
await listenFastify(app);
