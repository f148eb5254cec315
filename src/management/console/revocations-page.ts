// Who is shut out, and the forms that change it.
import { type Html, html } from '../../html/html.ts';
import type { Revocation } from '../../store/revocations.ts';
import { revocationLine } from '../admin/listings.ts';
import { clientChoice } from './client-choice.ts';
import type { Page } from './page.ts';
import { table } from './table.ts';

export interface RevocationsShown {
  readonly revocations: readonly Revocation[];
  readonly clients: readonly string[];
  readonly done: unknown;
  /** What the forms are filled in with; of a query, so each may be anything. */
  readonly wish: { readonly client: unknown; readonly subject: unknown; readonly token: unknown };
}

export function revocationsPage({ revocations, clients, done, wish }: RevocationsShown): Page {
  return {
    title: 'Revocations',
    done: textOf(done),
    content: html`
  ${
    revocations.length === 0
      ? html`<p>Nobody is shut out.</p>`
      : table('In force on all replicas', ['Shut out', 'Until', ''], revocations, (one) => [
          whom(one),
          'untilMs' in one ? new Date(one.untilMs).toISOString() : 'restored',
          restore(one),
        ])
  }
  <h2>Shut out</h2>
  <p>Takes effect at once, also for open sockets and for whoever waits.</p>
  <form method="post" class="line">
    <input type="hidden" name="scope" value="subject">
    ${clientChoice({ clients, chosen: wish.client })}
    <label>Subject <input name="subject" value="${filledIn(wish.subject)}" required maxlength="512" autocomplete="off"></label>
    <button>Revoke the subject</button>
  </form>
  <form method="post" class="line">
    <input type="hidden" name="scope" value="token">
    <label>Id of an access token (<code>jti</code>) <input name="token" value="${filledIn(wish.token)}" required maxlength="36" size="38" autocomplete="off"></label>
    <button>Revoke the token</button>
  </form>
  <form method="post" class="line">
    <input type="hidden" name="scope" value="client">
    ${clientChoice({ clients, chosen: wish.client })}
    <button>Revoke the whole client app</button>
  </form>
  <details><summary>Everybody</summary>
  <form method="post" class="line">
    <input type="hidden" name="scope" value="everything">
    <button>Revoke everything</button>
  </form></details>`,
  };
}

function whom(one: Revocation): Html {
  switch (one.scope) {
    case 'everything':
      return html`everybody`;
    case 'client':
      return html`client app ${one.client}`;
    case 'subject':
      return html`subject ${one.subject} of ${one.client}`;
    case 'token':
      return html`access token <code>${one.token}</code>`;
  }
}

function restore(one: Revocation): Html {
  const { until: _, ...fields } = { until: null, ...revocationLine(one) };
  return html`<form method="post" action="/console/revocations/restore" class="buttons">
    ${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}<button>Restore</button>
  </form>`;
}

function textOf(done: unknown): string | null {
  if (done === 'revoked') return 'Revoked.';
  return done === 'restored' ? 'Restored.' : null;
}

function filledIn(wish: unknown): string {
  return typeof wish === 'string' ? wish : '';
}
