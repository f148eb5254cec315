// What every page of the console has: navigation and heading.
import { type Html, html } from '../../html/html.ts';
import { htmlDocument } from '../../html/html-document.ts';
import { CONSOLE_STYLE } from './console-style.ts';

export interface Page {
  readonly title: string;
  readonly content: Html;
  /** What the form before has done; `null` = nothing. */
  readonly done?: string | null;
}

const PAGES = [
  ['/console', 'Status'],
  ['/console/sessions', 'Sessions'],
  ['/console/revocations', 'Revocations'],
  ['/console/usage', 'Usage'],
] as const;

/** @param path of the page that is shown */
export function page({ title, content, done = null }: Page, path: string | null): Html {
  const body = html`<nav aria-label="Console">
  <p>Cartesia token broker</p>
  <ul>${PAGES.map(([href, name]) => html`<li><a href="${href}"${href === path ? html` aria-current="page"` : null}>${name}</a></li>`)}</ul>
</nav>
<main>
  <h1>${title}</h1>
  ${done === null ? null : html`<p class="done" role="status">${done}</p>`}
  ${content}
</main>`;
  return htmlDocument({ title: `${title} · Cartesia token broker`, description: null, style: CONSOLE_STYLE, body });
}
