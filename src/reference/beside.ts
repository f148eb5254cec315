// Lays out an explanation and code side by side where there is room.
import { type Html, html } from '../html/html.ts';

/** @param explanation `null`: there is none, and the code takes the whole width */
export function beside(explanation: Html | null, code: readonly Html[]): Html {
  if (explanation === null) return html`${code}`;
  return code.length === 0 ? explanation : html`<div class="beside"><div>${explanation}</div><div>${code}</div></div>`;
}
