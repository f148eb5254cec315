// Reads the bodies of HTML forms, each field once.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../../errors/problems.ts';

/** Makes an object without a prototype. Nothing else is accepted. */
export function formBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: BODY_BYTES_MAX },
    (_request, body, done) => {
      const fields: Record<string, string> = Object.create(null);
      for (const [name, value] of new URLSearchParams(String(body))) {
        if (name in fields) return done(new Problem('invalid_request', `The field "${name}" is there twice.`));
        fields[name] = value;
      }
      done(null, fields);
    },
  );
}

/** A subject has at most 512 bytes, each three when it is encoded. */
const BODY_BYTES_MAX = 4096;
