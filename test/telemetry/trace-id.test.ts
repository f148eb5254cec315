import { test } from 'tap';
import { traceIdOf } from '../../src/telemetry/trace-id.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

test('the trace is the one that a valid traceparent names', async (t) => {
  for (const [traceparent, expected] of [
    [`00-${TRACE}-${SPAN}-01`, TRACE],
    [`00-${TRACE}-${SPAN}-00`, TRACE],
    [`cc-${TRACE}-${SPAN}-01`, TRACE],
    [`cc-${TRACE}-${SPAN}-01-later`, TRACE],
    [`00-${TRACE}-${SPAN}-01-later`, null],
    [`ff-${TRACE}-${SPAN}-01`, null],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, null],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, null],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, null],
    [`00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`, null],
    [`00-${TRACE}-${SPAN}`, null],
    [`00-${TRACE}-${SPAN}-01\n`, null],
    ['', null],
    [undefined, null],
  ] as const) {
    t.equal(traceIdOf({ traceparent }), expected, String(traceparent));
  }
});
