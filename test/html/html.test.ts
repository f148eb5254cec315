import fc from 'fast-check';
import { test } from 'tap';
import { escapeHtml, html } from '../../src/html/html.ts';

test('text inserted into a template stays text in the page', async (t) => {
  const hostile = `<img src=x onerror=alert(1)> & "quoted" 'single' \`tick\``;
  t.equal(html`<p title="${hostile}">${hostile}</p>`.text.includes('<img'), false, 'no tag comes out of a text');
  t.equal(
    escapeHtml(hostile),
    '&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quoted&quot; &#39;single&#39; &#96;tick&#96;',
  );
});

test('values in a template are joined according to their type', async (t) => {
  t.equal(html`<b>${html`<i>${'a<b'}</i>`}</b>`.text, '<b><i>a&lt;b</i></b>', 'HTML is not escaped again');
  t.equal(
    html`${['a', html`<br>`, 1, null, ['<']]}`.text,
    'a<br>1&lt;',
    'lists are joined, numbers are written, and null is nothing',
  );
  t.equal(html`nothing to put in`.text, 'nothing to put in');
});

test('escaped text contains no character with a meaning in HTML', async (t) => {
  t.doesNotThrow(
    () =>
      fc.assert(
        fc.property(fc.string({ unit: fc.constantFrom(...PIECES) }), (text) => {
          const escaped = escapeHtml(text);
          return !/[<>"'`]/.test(escaped) && readBack(escaped) === text;
        }),
      ),
    'for every text tried',
  );
});

const PIECES = ['&', '<', '>', '"', "'", '`', ';', '#', '39', 'amp', 'lt', 'é', ' '];

function readBack(text: string): string {
  const characters: Readonly<Record<string, string>> = {
    lt: '<',
    gt: '>',
    quot: '"',
    '#39': "'",
    '#96': '`',
    amp: '&',
  };
  return text.replace(/&(lt|gt|quot|#39|#96|amp);/g, (_entity, name: string) => characters[name] ?? '');
}
