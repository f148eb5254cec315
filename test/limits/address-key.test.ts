import { test } from 'tap';
import { addressKey } from '../../src/limits/rate-limits.ts';

const SAME: readonly [string, string][] = [
  ['192.0.2.1', '192.0.2.1:5678'],
  ['192.0.2.1', '::ffff:192.0.2.1'],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9'],
  ['2001:db8:1:2::1', '[2001:db8:1:2::1]:5678'],
  ['2001:db8:1:2::1', '[2001:db8:1:2::1]'],
];

test('addresses of one customer share a window, however a proxy writes them', async (t) => {
  for (const [one, other] of SAME) t.equal(addressKey({ ip: other }), addressKey({ ip: one }), other);
  t.not(addressKey({ ip: '2001:db8:1:2::1' }), addressKey({ ip: '2001:db8:1:3::1' }));
  t.not(addressKey({ ip: '192.0.2.1' }), addressKey({ ip: '192.0.2.2' }));
});
