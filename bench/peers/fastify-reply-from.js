import replyFrom from '@fastify/reply-from';
import Fastify from 'fastify';
import { fastifyTls, listenFastify, UPSTREAM } from './listener.js';

const app = Fastify(fastifyTls);
await app.register(replyFrom, {
  base: UPSTREAM,
  undici: { connections: 128, pipelining: 1 },
  disableRequestLogging: true,
});
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
app.all('/*', (request, reply) => reply.from(request.url));
await listenFastify(app);
