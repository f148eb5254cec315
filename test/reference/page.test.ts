import { test } from 'tap';
import { PROBLEMS } from '../../src/errors/problems.ts';
import { escapeHtml } from '../../src/html/html.ts';
import { endpointsOf } from '../../src/reference/endpoint-section.ts';
import { loadOpenApiDocument } from '../../src/reference/openapi-document.ts';
import { referencePage } from '../../src/reference/page.ts';

const document = await loadOpenApiDocument();
const page = referencePage(document);

/** Start tags as written: name and attributes. */
const tags = (markup: string): readonly { name: string; attributes: string }[] =>
  [...markup.matchAll(/<([a-z][a-z0-9]*)([^>]*)>/g)].map(([, name = '', attributes = '']) => ({ name, attributes }));

const ids = (markup: string): readonly string[] => [...markup.matchAll(/ id="([^"]*)"/g)].map(([, id = '']) => id);

test('the page has every endpoint, every error, and a way to the first token', async (t) => {
  const endpoints = endpointsOf(document);
  t.ok(endpoints.length >= 6, `${endpoints.length} endpoints`);
  for (const { path, operation } of endpoints) {
    t.match(page, `<article class="endpoint" id="${operation.operationId}"`);
    t.match(page, `<code>${path}</code>`);
  }
  for (const code of Object.keys(PROBLEMS)) t.match(page, `id="error-${code}"`);
  t.match(page, 'Official SDK, in your app');
  t.match(page, 'X-Broker-Subject: user-42');
  t.match(page, escapeHtml("import Cartesia from '@cartesia/cartesia-js';"));
});

test('a part of the path is not listed among the headers', async (t) => {
  const [, article = ''] = /<article class="endpoint" id="get_voices_id"(.*?)<\/article>/s.exec(page) ?? [];
  const lists = [...article.matchAll(/<h4>([^<]*)<\/h4><dl class="fields">(.*?)<\/dl>/gs)].map(
    ([, heading, list = '']) => [heading, [...list.matchAll(/<dt><code>([^<]*)<\/code>/g)].map(([, name]) => name)],
  );
  t.match(lists, [
    ['Path parameters', ['id']],
    ['Query parameters', ['expand[]']],
    ['Request headers', ['Cartesia-Version', 'X-Broker-Subject']],
  ]);
});

test("an endpoint that passes on Cartesia's failures says so after the broker's own", async (t) => {
  const failures = (id: string) =>
    new RegExp(`id="${id}".*?<dl class="failures">(.*?)</dl>`, 's').exec(page)?.[1] ?? '';
  t.match(failures('post_tts_bytes'), /<dt>504<\/dt>.*<dt>other<\/dt><dd><p>A failure of Cartesia/s);
  t.notMatch(failures('mintAccessToken'), '<dt>other');
});

test('the page contains no script and loads nothing', async (t) => {
  const allowed = new Set(
    'html head meta title style body a nav p ul li span code main header h1 h2 h3 h4 section article dl div dt dd details summary figure figcaption pre table thead tbody tr th td'.split(
      ' ',
    ),
  );
  for (const { name, attributes } of tags(page)) {
    if (!allowed.has(name)) t.fail(`<${name}> is not allowed here`);
    if (/\s(?:src|srcset|style|on[a-z]+|action|background)\s*=/i.test(attributes)) t.fail(`<${name}${attributes}>`);
  }
  const targets = [...page.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href);
  t.ok(targets.length > 20);
  t.strictSame(
    targets.filter((href) => !href.startsWith('#') && href !== 'openapi.json'),
    [],
  );
  const style = /<style>(.*)<\/style>/s.exec(page)?.[1] ?? '';
  t.ok(style.length > 1000);
  t.notMatch(style, /@import|url\(|expression|<\//);
});

test('every link on the page has a target, and every id is unique', async (t) => {
  const names = ids(page);
  t.equal(new Set(names).size, names.length, 'ids are unique');
  const links = [...page.matchAll(/href="#([^"]*)"/g)].map(([, id = '']) => id);
  t.strictSame(
    links.filter((id) => !names.includes(id)),
    [],
  );
});

test('the page has language, title and viewport, and its heading levels go down one step at a time', async (t) => {
  t.match(page, /^<!doctype html>\n<html lang="en">/);
  t.match(page, '<meta name="viewport" content="width=device-width, initial-scale=1">');
  t.match(page, `<title>${document.info.title}: reference</title>`);
  const levels = [...page.matchAll(/<h([1-6])/g)].map(([, level]) => Number(level));
  t.equal(levels.filter((level) => level === 1).length, 1);
  levels.forEach((level, i) => {
    if (level > (levels[i - 1] ?? 0) + 1) t.fail(`h${level} after h${levels[i - 1]}`);
  });
});

test('every element that is opened is closed, in order', async (t) => {
  const open: string[] = [];
  for (const [, slash, name = ''] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
    if (name === 'meta') continue;
    if (slash === '/') t.equal(open.pop(), name);
    else open.push(name);
  }
  t.strictSame(open, []);
});

test('a document full of hostile text gives the same page with other words', async (t) => {
  const hostile = `"'><script>alert(1)</script><img src=x onerror=alert(1)>\`</style>`;
  const dangerous = referencePage(poison(document, hostile));
  t.ok(dangerous.split(escapeHtml('<script>alert(1)</script>')).length > 200, 'the text is there, readable');
  t.notMatch(dangerous, /<script|<img|onerror=alert\(1\)>/);
  const harmless = referencePage(poison(document, 'x`')); // a backtick too: it turns the text after it into code
  const shapeOf = (markup: string) =>
    tags(markup).map(({ name, attributes }) => [name, attributes.match(/ [a-z]+="/g) ?? []]);
  t.strictSame(shapeOf(dangerous), shapeOf(harmless));
});

/** Appends the hostile text to every text, name and path that a reader sees; the structure of the document stays. */
function poison<T>(value: T, hostile: string, place?: string): T;
function poison(value: unknown, hostile: string, place = ''): unknown {
  if (typeof value === 'string') return SHOWN.has(place) ? value + hostile : value;
  if (Array.isArray(value)) return value.map((member) => poison(member, hostile, place));
  if (typeof value !== 'object' || value === null) return value;
  const isNamed = place === 'properties' || place === 'paths';
  const members = Object.entries(value).map(([key, member]) => [
    isNamed ? key + hostile : key,
    poison(member, hostile, key),
  ]);
  return Object.fromEntries(members);
}

const SHOWN = new Set(
  'title version summary description label source name example token scheme operationId tags type format message'.split(
    ' ',
  ),
);
