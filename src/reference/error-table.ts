// What can go wrong, on the page: the whole catalogue.
import { PROBLEMS, type ProblemRow } from '../errors/problems.ts';
import { type Html, html } from './html.ts';

/** Where a code is explained on the page. */
export function errorAnchor(code: string): string {
  return `error-${code}`;
}

export function errorTable(): Html {
  const entries: [string, ProblemRow][] = Object.entries(PROBLEMS);
  return html`
<table class="errors">
  <thead><tr><th scope="col">error_code</th><th scope="col">Status</th><th scope="col">Try again</th><th scope="col">When</th></tr></thead>
  <tbody>${entries.map(
    ([code, { status, retryable, when }]) => html`
    <tr id="${errorAnchor(code)}"><th scope="row"><code>${code}</code></th><td>${status}</td><td>${
      retryable ? html`<span class="yes">yes</span>` : html`<span class="no">no</span>`
    }</td><td>${when}</td></tr>`,
  )}
  </tbody>
</table>`;
}
