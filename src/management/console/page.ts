// The frame of every page of the console: head, navigation, heading.
import { type Html, html } from '../../html/html.ts';
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
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Cartesia token broker</title>
<style>${CONSOLE_STYLE}</style>
</head>
<body>
<nav aria-label="Console">
  <p>Cartesia token broker</p>
  <ul>${PAGES.map(([href, name]) => html`<li><a href="${href}"${href === path ? html` aria-current="page"` : null}>${name}</a></li>`)}</ul>
</nav>
<main>
  <h1>${title}</h1>
  ${done === null ? null : html`<p class="done" role="status">${done}</p>`}
  ${content}
</main>
</body>
</html>
`;
}
