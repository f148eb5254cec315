// Converts the small subset of Markdown in our descriptions to HTML: paragraphs and inline code.
import { type Html, html } from '../html/html.ts';

/** Text with inline `code`. */
export function inline(text: string): Html {
  // Pieces with odd indexes stood between backticks.
  const pieces = text.split('`').map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : piece));
  return html`${pieces}`;
}

/** Blank lines separate paragraphs. */
export function paragraphs(text: string | undefined): Html {
  const parts = (text ?? '').split('\n\n').filter((part) => part.trim() !== '');
  return html`${parts.map((part) => html`<p>${inline(part)}</p>`)}`;
}
