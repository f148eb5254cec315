// The reference page's table of all errors.
import { PROBLEMS, type ProblemRow } from '../errors/problems.ts';
import { type Html, html } from '../html/html.ts';

/** The anchor of a code's row in the table. */
export function errorAnchor(code: string): string {
  return `error-${code}`;
}

/** ARIA roles are explicit because phones show the rows as a CSS grid, and browsers then no longer treat the element as a table. */
export function errorTable(): Html {
  const entries: [string, ProblemRow][] = Object.entries(PROBLEMS);
  return html`
<table class="errors" role="table">
  <thead><tr role="row"><th scope="col" role="columnheader">error_code</th><th scope="col" role="columnheader">Status</th><th scope="col" role="columnheader">Try again</th><th scope="col" role="columnheader">When</th></tr></thead>
  <tbody>${entries.map(
    ([code, { status, retryable, when }]) => html`
    <tr role="row" id="${errorAnchor(code)}"><th scope="row" role="rowheader"><code>${code}</code></th><td role="cell">${status}</td><td role="cell">${
      retryable ? html`<span class="yes">yes</span>` : html`<span class="no">no</span>`
    }</td><td role="cell">${when}</td></tr>`,
  )}
  </tbody>
</table>`;
}
