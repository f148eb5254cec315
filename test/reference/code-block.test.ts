import fc from 'fast-check';
import { test } from 'tap';
import { escapeHtml } from '../../src/html/html.ts';
import { json, source } from '../../src/reference/code-block.ts';

test('an example is formatted as a person would write it', async (t) => {
  const value = { grants: { tts: true, stt: null }, expires_in: 300, list: [1, 'two'], none: {}, empty: [] };
  t.equal(
    textOf(json(value).text),
    `{
  "grants": { "tts": true, "stt": null },
  "expires_in": 300,
  "list": [ 1, "two" ],
  "none": {},
  "empty": []
}`,
  );
});

test('an object too long for a line is broken up', async (t) => {
  const long = 'a sentence that does not fit beside the others on a line';
  t.equal(
    textOf(json({ outer: { long, short: 1 } }).text),
    `{\n  "outer": {\n    "long": "${long}",\n    "short": 1\n  }\n}`,
  );
});

test('an example copied from the page has the same value', async (t) => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      t.strictSame(JSON.parse(textOf(json(value).text)), JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 200 },
  );
});

test('comments in a program are marked, and no text is lost', async (t) => {
  const program = '# first\nrun "$A" <b\n\n  // last';
  const { text } = source(program);
  t.equal(textOf(text), program);
  t.match(text, '<span class="comment"># first</span>\n');
  t.notMatch(text, '<b');
  t.equal(text.match(/class="comment"/g)?.length, 2);
});

/** The text that a browser shows: only our own spans are tags. */
function textOf(markup: string): string {
  const bare = markup.replaceAll(/<span class="[a-z]+">|<\/span>/g, '');
  const characters = ['<', '>', '"', "'", '`', '&'];
  return characters.reduce((text, character) => text.replaceAll(escapeHtml(character), character), bare);
}
