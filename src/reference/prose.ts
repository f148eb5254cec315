// The little Markdown of our descriptions as HTML: paragraphs, code, links to places on the same page.
import { type Html, html } from './html.ts';

/** Text with `code` in it. */
export function inline(text: string): Html {
  // Odd pieces stood between backticks.
  const pieces = text.split('`').map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : piece));
  return html`${pieces}`;
}

/** Blank lines part paragraphs. */
export function paragraphs(text: string | undefined): Html {
  const parts = (text ?? '').split('\n\n').filter((part) => part.trim() !== '');
  return html`${parts.map((part) => html`<p>${inline(part)}</p>`)}`;
}
