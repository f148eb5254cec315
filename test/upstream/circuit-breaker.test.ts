import { test } from 'tap';
import { type BreakerState, createCircuitBreaker } from '../../src/upstream/circuit-breaker.ts';

function breakerUnderTest(random = 0) {
  const clock = { ms: 0 };
  const changes: BreakerState[] = [];
  const breaker = createCircuitBreaker({
    now: () => clock.ms,
    random: () => random,
    onChange: (state) => changes.push(state),
    failuresToOpen: 3,
    openMs: 1_000,
    maxOpenMs: 4_000,
  });
  /** Makes one call with this outcome. */
  function call(end: 'succeeded' | 'failed' | 'abandoned'): boolean {
    const pass = breaker.enter();
    if (pass === null) return false;
    breaker[end](pass);
    return true;
  }
  return { breaker, clock, changes, call };
}

test('opens after consecutive failures, not after failures between successes', async (t) => {
  const { breaker, call, changes } = breakerUnderTest();
  for (let i = 0; i < 10; i++) {
    call('failed');
    call('failed');
    call('succeeded');
  }
  t.equal(breaker.state, 'closed');
  t.strictSame(changes, []);
  call('failed');
  call('failed');
  call('failed');
  t.equal(breaker.state, 'open');
  t.strictSame(changes, ['open']);
  t.equal(breaker.enter(), null);
  t.equal(breaker.retryAfterSeconds(), 1);
});

test('reads as half open once the wait is over, even if nobody calls', async (t) => {
  const { breaker, clock, call, changes } = breakerUnderTest();
  for (let i = 0; i < 3; i++) call('failed');
  clock.ms = 999;
  t.equal(breaker.state, 'open');
  clock.ms = 1_000;
  t.equal(breaker.state, 'half-open');
  t.strictSame(changes, ['open'], 'reading the state changes nothing');
  t.ok(call('failed'), 'the next call is the probe');
  t.equal(breaker.state, 'open');
  t.strictSame(changes, ['open', 'half-open', 'open']);
});

test('half open lets one probe through, and its success closes the breaker', async (t) => {
  const { breaker, clock, call, changes } = breakerUnderTest();
  for (let i = 0; i < 3; i++) call('failed');
  clock.ms = 999;
  t.equal(breaker.enter(), null);
  clock.ms = 1_000;
  const probe = breaker.enter();
  t.type(probe, 'number');
  t.equal(breaker.state, 'half-open');
  t.equal(breaker.enter(), null, 'all others are refused while the probe is under way');
  t.equal(breaker.retryAfterSeconds(), 1);
  if (probe !== null) breaker.succeeded(probe);
  t.equal(breaker.state, 'closed');
  t.ok(call('succeeded'));
  t.strictSame(changes, ['open', 'half-open', 'closed']);
});

test('each failed probe doubles the wait, up to the maximum; a success resets it', async (t) => {
  const { breaker, clock, call } = breakerUnderTest();
  for (let i = 0; i < 3; i++) call('failed');
  const waits: number[] = [];
  for (let i = 0; i < 4; i++) {
    let waited = 0;
    while (!call('failed')) {
      clock.ms += 500;
      waited += 500;
    }
    waits.push(waited);
  }
  t.strictSame(waits, [1_000, 2_000, 4_000, 4_000]);
  t.equal(breaker.retryAfterSeconds(), 4);
  clock.ms += 4_000;
  t.ok(call('succeeded'));
  for (let i = 0; i < 3; i++) call('failed');
  clock.ms += 1_000;
  t.ok(call('succeeded'), 'the first wait is short again');
});

test('a probe abandoned before it reached upstream opens the breaker again, for no longer than before', async (t) => {
  const { breaker, clock, call } = breakerUnderTest();
  for (let i = 0; i < 3; i++) call('failed');
  for (const ms of [1_000, 2_000, 3_000]) {
    clock.ms = ms;
    t.ok(call('abandoned'));
    t.equal(breaker.state, 'open');
    t.equal(breaker.retryAfterSeconds(), 1);
  }
});

test('calls abandoned while the breaker is closed do not count against upstream', async (t) => {
  const { breaker, call } = breakerUnderTest();
  for (let i = 0; i < 10; i++) call('abandoned');
  t.equal(breaker.state, 'closed');
});

test('results of an earlier period change nothing', async (t) => {
  const { breaker, clock, call } = breakerUnderTest();
  const late = [breaker.enter(), breaker.enter(), breaker.enter(), breaker.enter()];
  for (let i = 0; i < 3; i++) call('failed');
  clock.ms = 1_000;
  const probe = breaker.enter();
  for (const pass of late) if (pass !== null) breaker.failed(pass);
  t.equal(breaker.state, 'half-open', 'late failures do not end the probe');
  for (const pass of late) if (pass !== null) breaker.succeeded(pass);
  t.equal(breaker.state, 'half-open', 'nor do late successes');
  for (const pass of late) if (pass !== null) breaker.abandoned(pass);
  t.equal(breaker.state, 'half-open', 'nor do calls abandoned late');
  if (probe !== null) breaker.succeeded(probe);
  t.equal(breaker.state, 'closed');
});

test('replicas do not probe in step', async (t) => {
  const { breaker, clock, call } = breakerUnderTest(1);
  for (let i = 0; i < 3; i++) call('failed');
  clock.ms = 1_249;
  t.equal(breaker.enter(), null);
  clock.ms = 1_250;
  t.not(breaker.enter(), null);
});
