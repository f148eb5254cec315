// A choice of one of the configured client apps.
import { type Html, html } from '../../html/html.ts';

export interface ClientChoice {
  readonly clients: readonly string[];
  readonly chosen: unknown;
  /** What choosing none is called; without it, one has to be chosen. */
  readonly none?: string;
}

export function clientChoice({ clients, chosen, none }: ClientChoice): Html {
  const option = (value: string, text: string): Html =>
    html`<option value="${value}"${value === chosen ? html` selected` : null}>${text}</option>`;
  // None is chosen in advance: a form for a client app that is no longer configured must not name another.
  return html`<label>Client app <select name="client"${none === undefined ? html` required` : null}>
      ${option('', none ?? 'choose one')}${clients.map((name) => option(name, name))}
    </select></label>`;
}
