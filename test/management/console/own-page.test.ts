import { test } from 'tap';
import { isEmbedded, isFromOwnPage } from '../../../src/management/console/own-page.ts';

test('a form is taken from a page of this listener only', async (t) => {
  const host = 'broker.internal:9090';
  for (const [headers, expected] of [
    [{ host, 'sec-fetch-site': 'same-origin' }, true],
    [{ host, 'sec-fetch-site': 'same-origin', origin: 'null' }, true],
    [{ host, 'sec-fetch-site': 'same-site', origin: `http://${host}` }, false],
    [{ host, 'sec-fetch-site': 'cross-site', origin: `http://${host}` }, false],
    [{ host, 'sec-fetch-site': 'none', origin: `http://${host}` }, false],
    // Over plain HTTP browsers send no `Sec-Fetch-Site`, except to their own machine.
    [{ host, origin: `http://${host}` }, true],
    [{ host: host.toUpperCase(), origin: `https://${host}` }, true],
    [{ host, origin: 'http://broker.internal' }, false],
    [{ host, origin: 'http://evil.example' }, false],
    [{ host, origin: 'null' }, false],
    [{ host }, false],
    [{ origin: `http://${host}` }, false],
    [{ host: '', origin: 'file:///' }, false],
    [{}, false],
  ] as const)
    t.equal(isFromOwnPage(headers), expected, JSON.stringify(headers));
});

test('a link to the console may be followed from anywhere, but no page may embed it', async (t) => {
  for (const [site, mode, expected] of [
    ['none', 'navigate', false],
    ['same-origin', 'navigate', false],
    ['same-origin', 'no-cors', false],
    ['cross-site', 'navigate', false],
    ['same-site', 'no-cors', true],
    ['cross-site', 'no-cors', true],
    ['cross-site', 'cors', true],
    ['cross-site', undefined, true],
  ] as const)
    t.equal(
      isEmbedded({ 'sec-fetch-site': site, ...(mode === undefined ? {} : { 'sec-fetch-mode': mode }) }),
      expected,
      `${site} ${mode}`,
    );
  t.equal(isEmbedded({}), false, 'a program, or a browser over plain HTTP');
});
