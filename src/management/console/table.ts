// Tables of the console, and what stands in several of them.
import { type Html, html, type Piece } from '../../html/html.ts';

/** Rows shown of one table; a page of very many would hold up whatever else the replica does. */
const ROWS_MAX = 1_000;

/** @param rowOf as many pieces as there are columns */
export function table<T>(
  caption: string,
  columns: readonly string[],
  items: readonly T[],
  rowOf: (item: T) => readonly Piece[],
): Html {
  const rows = items.slice(0, ROWS_MAX).map(rowOf);
  const more = items.length - rows.length;
  return html`<div class="table" role="region" tabindex="0" aria-label="${caption}"><table>
  <caption>${caption}</caption>
  <thead><tr>${columns.map((column) => html`<th scope="col">${column}</th>`)}</tr></thead>
  <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td${isNumber(cell) ? html` class="number"` : null}>${cell}</td>`)}</tr>`)}</tbody>
</table></div>
${more === 0 ? null : html`<p>${more} more are not listed.</p>`}`;
}

function isNumber(piece: Piece): boolean {
  return typeof piece === 'number' || (typeof piece === 'string' && /^[\d.,]+$/.test(piece));
}

/** `3 d 4 h`, `2 h 5 min`, `4 min 10 s`, `12 s`. */
export function age(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const [days, hours, minutes] = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3_600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

/** Enough of a replica's id to tell it from the others; all of it when pointed at. */
export function replicaName(id: string): Html {
  return html`<abbr title="${id}">${id.slice(0, 8)}</abbr>`;
}
