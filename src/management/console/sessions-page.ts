// What all replicas carry at the moment, and the buttons that end it.
import { type Html, html } from '../../html/html.ts';
import type { PlacedSession, SessionFilter, SessionList } from '../../limits/all-sessions.ts';
import { clientChoice } from './client-choice.ts';
import type { Page } from './page.ts';
import { age, replicaName, table } from './table.ts';

export interface SessionsShown {
  readonly list: SessionList;
  readonly filter: SessionFilter;
  readonly clients: readonly string[];
  readonly done: unknown;
}

export function sessionsPage({ list, filter, clients, done }: SessionsShown): Page {
  const { sessions, leftOut, silent } = list;
  return {
    title: 'Sessions',
    done: done === 'ended' ? 'The session has been ended.' : null,
    content: html`
  <form method="get" class="line">
    ${clientChoice({ clients, chosen: filter.client, none: 'all client apps' })}
    <label>Subject <input name="subject" value="${filter.subject ?? ''}" maxlength="512" autocomplete="off"></label>
    <button>Show</button>
  </form>
  ${silent === 0 ? null : html`<p class="bad">Replicas that did not answer: ${silent}. What they carry is not listed.</p>`}
  ${leftOut === 0 ? null : html`<p>${leftOut} more are not listed.</p>`}
  ${
    sessions.length === 0
      ? html`<p>Nothing is being carried.</p>`
      : table(
          `Requests and sockets under way: ${sessions.length}`,
          ['Endpoint', 'Client app', 'Subject', 'For', 'Replica', ''],
          sessions.toSorted((a, b) => b.ageMs - a.ageMs),
          (session) => [
            session.endpoint,
            session.client,
            session.subject,
            age(session.ageMs),
            replicaName(session.replica),
            buttons(session),
          ],
        )
  }`,
  };
}

function buttons({ id, client, subject, token }: PlacedSession): Html {
  const about = new URLSearchParams({ client, subject, ...(token === null ? {} : { token }) });
  return html`<form method="post" action="/console/sessions/end" class="buttons">
      <input type="hidden" name="id" value="${id}"><button aria-label="End session ${id}">End</button>
      <a href="/console/revocations?${about.toString()}">Revoke…</a>
    </form>`;
}
