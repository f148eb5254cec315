// Fast metrics must read exactly like those of prom-client.
import fc from 'fast-check';
import { Counter, Histogram, Registry } from 'prom-client';
import { test } from 'tap';
import { hotCounter, hotHistogram } from '../../src/telemetry/hot-metrics.ts';

const CONFIGURATION = { name: 'things', help: 'Things.', labelNames: ['client', 'status'] } as const;
const BUCKETS = [0.125, 1, 10];

const labels = fc.record({
  client: fc.constantFrom('web', 'ios', 'a,b', '200'),
  status: fc.constantFrom(200, '200', 404, ''),
});
/** Amounts counted per label set, chosen so that their sums do not depend on order; `null` = a scrape. */
const history = fc.array(
  fc.option(fc.record({ labels, amount: fc.constantFrom(0, 0.125, 0.25, 1, 3, 10, 11, 1e6) }), { freq: 5 }),
  { maxLength: 60 },
);

test("a counter reads like prom-client's, however often it is scraped", async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const [quick, plain] = [new Registry(), new Registry()];
        const settings = { ...CONFIGURATION, labelNames: [...CONFIGURATION.labelNames] };
        const hot = hotCounter({ ...settings, registers: [quick] });
        const cold = new Counter({ ...settings, registers: [plain] });
        for (const step of [...steps, null]) {
          if (step === null) {
            const [a, b] = await Promise.all([lines(quick), lines(plain)]);
            if (a !== b) throw new Error(`${a}\ninstead of\n${b}`);
          } else {
            hot.inc(step.labels, step.amount);
            cold.inc(step.labels, step.amount);
          }
        }
      }),
    ),
  );
});

test("a histogram reads like prom-client's", async (t) => {
  await t.resolves(
    fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const [quick, plain] = [new Registry(), new Registry()];
        const settings = { ...CONFIGURATION, labelNames: [...CONFIGURATION.labelNames], buckets: BUCKETS };
        const hot = hotHistogram({ ...settings, registers: [quick] });
        const cold = new Histogram({ ...settings, registers: [plain] });
        for (const step of [...steps, null]) {
          if (step === null) {
            const [a, b] = await Promise.all([lines(quick), lines(plain)]);
            if (a !== b) throw new Error(`${a}\ninstead of\n${b}`);
          } else {
            hot.observe(step.labels, step.amount);
            cold.observe(step.labels, step.amount);
          }
        }
      }),
    ),
  );
});

test('a label set gets its series once, on first use', async (t) => {
  const made = t.capture(Histogram.prototype, 'zero', Histogram.prototype.zero);
  const settings = { ...CONFIGURATION, labelNames: [...CONFIGURATION.labelNames], registers: [] };
  const histogram = hotHistogram({ ...settings, buckets: BUCKETS });
  for (let i = 0; i < 100; i += 1) for (const client of ['web', 'ios']) histogram.observe({ client, status: 200 }, 1);
  t.equal(made().length, 2);
});

test('an invalid amount is refused when it is counted, not when it is scraped', async (t) => {
  const counter = hotCounter({ ...CONFIGURATION, labelNames: ['client'], registers: [] });
  t.throws(() => counter.inc({ client: 'web' }, -1), TypeError);
  t.throws(() => counter.inc({ client: 'web' }, Number.NaN), TypeError);
  counter.inc({ client: 'web' });
  t.match((await counter.get()).values, [{ labels: { client: 'web' }, value: 1 }]);
});

/** The lines sorted: prom-client lists series by first use, and fast ones appear only when scraped. */
async function lines(registry: Registry): Promise<string> {
  return (await registry.metrics()).split('\n').sort().join('\n');
}
