import { test } from 'tap';
import { trustedProxies } from '../../src/listener/trusted-proxies.ts';

const TRUSTED: readonly (readonly [string, ...string[]])[] = [
  ['10.0.0.0/8', '10.1.2.3', '10.255.255.255', '::ffff:10.1.2.3', '10.1.2.3:4000', '[::ffff:10.1.2.3]:4000'],
  ['10.128.0.0/9', '10.128.0.0'],
  ['192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8::/32', '2001:db8::1', '2001:DB8:ffff::', '[2001:db8::1]:443', '[2001:db8::1]'],
  ['fe80::/10', 'fe80::1%eth0'],
  ['0.0.0.0/0', '203.0.113.1', '::ffff:203.0.113.1'],
  ['::/0', '2001:db8::1'],
];

const OTHERS: readonly (readonly [string, ...(string | undefined)[]])[] = [
  ['10.0.0.0/8', '11.0.0.0', '9.255.255.255', '::ffff:11.0.0.1', '11.0.0.0:4000', '2001:db8::1'],
  ['10.128.0.0/9', '10.127.255.255'],
  ['192.0.2.1', '192.0.2.2', '192.0.2.1/32', 'unknown', '"192.0.2.1"', '', ':', '[]', undefined],
  ['2001:db8::/32', '2001:db9::', '192.0.2.1', '[2001:db9::]:443', '[2001:db8::1'],
];

test('a range holds its addresses, however a proxy writes them, and no others', async (t) => {
  for (const [range, ...addresses] of TRUSTED) {
    for (const address of addresses) t.equal(ask([range], address), true, `${range}: ${address}`);
  }
  for (const [range, ...addresses] of OTHERS) {
    for (const address of addresses) t.equal(ask([range], address), false, `${range}: ${address}`);
  }
  t.equal(ask(['192.0.2.1', '10.0.0.0/8'], '10.1.2.3'), true, 'one of several');
  t.equal(trustedProxies([]), false, 'without a range nobody is trusted');
});

function ask(ranges: readonly string[], address: string | undefined): boolean {
  const isTrusted = trustedProxies(ranges);
  return isTrusted !== false && isTrusted(address);
}
