// A refusal or failure, as a page.
import type { FastifyReply } from 'fastify';
import type { Problem } from '../../errors/problems.ts';
import { errorHeaders } from '../../errors/wire.ts';
import { html } from '../../html/html.ts';
import { page } from './page.ts';

/** Makes a browser ask for a name and a password. */
const CHALLENGE = 'Basic realm="Cartesia token broker", charset="UTF-8"';

export function sendProblemPage(reply: FastifyReply, problem: Problem): FastifyReply {
  const content =
    problem.status === 401
      ? html`<p>The password is the admin token (<code>ADMIN_TOKEN</code>); any name will do.</p>`
      : html`<p>${problem.message}</p><p>Request id: <code>${reply.request.id}</code></p>`;
  if (problem.status === 401) reply.header('www-authenticate', CHALLENGE);
  const { 'www-authenticate': _, ...headers } = errorHeaders(problem);
  return reply
    .code(problem.status)
    .headers(headers)
    .type('text/html; charset=utf-8')
    .send(page({ title: problem.title, content }, null).text);
}
