// Code blocks of the reference page: JSON with coloured tokens, programs with dimmed comments.
import { type Html, html } from '../html/html.ts';

/** A box that can be reached and scrolled with the keyboard. */
export function codeBlock(label: Html | string, code: Html): Html {
  return html`<figure class="code"><figcaption>${label}</figcaption><pre tabindex="0"><code>${code}</code></pre></figure>`;
}

/** A program or shell commands. */
export function source(text: string): Html {
  const lines = text.split('\n').map((line, i) => {
    const start = i === 0 ? '' : '\n';
    return /^\s*(?:#|\/\/)/.test(line) ? html`${start}<span class="comment">${line}</span>` : html`${start}${line}`;
  });
  return html`${lines}`;
}

/** Nested values of at most this many characters stay on one line. */
const LINE_MAX = 56;

/** A JSON value, indented by two. */
export function json(value: unknown, indent = ''): Html {
  if (typeof value === 'string') return html`<span class="string">${JSON.stringify(value)}</span>`;
  if (typeof value !== 'object' || value === null) return html`<span class="literal">${String(value)}</span>`;

  const isList = Array.isArray(value);
  const [open, close] = isList ? ['[', ']'] : ['{', '}'];
  const members = Object.entries(value);
  if (members.length === 0) return html`${open}${close}`;

  const isFlat = indent !== '' && JSON.stringify(value).length <= LINE_MAX;
  const inner = `${indent}  `;
  const between = isFlat ? ', ' : `,\n${inner}`;
  const written = members.map(([key, member], i) => {
    const name = isList ? null : html`<span class="key">${JSON.stringify(key)}</span>: `;
    return html`${i === 0 ? '' : between}${name}${json(member, inner)}`;
  });
  return isFlat ? html`${open} ${written} ${close}` : html`${open}\n${inner}${written}\n${indent}${close}`;
}
