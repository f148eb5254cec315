// Restricts the bodies of public routes to JSON in UTF-8, read strictly.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors/problems.ts';
import { parseStrictJson } from './parse-strict-json.ts';
import { requirePlainBody } from './plain-body.ts';

export function strictJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      requirePlainBody(request.headers);
      const charset = CHARSET.exec(request.headers['content-type'] ?? '')?.[1];
      if (charset !== undefined && charset.toLowerCase() !== 'utf-8') throw new Problem('unsupported_media_type');
      done(null, parseStrictJson(body as Buffer)); // parseAs: 'buffer'
    } catch (error) {
      done(error as Problem);
    }
  });
}

const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]+)/i;
