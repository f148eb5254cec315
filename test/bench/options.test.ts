// Parsing of the benchmark's command line.
import { test } from 'tap';
import { readOptions } from '../../bench/options.ts';

test('omitted options have defaults', async (t) => {
  t.strictSame(readOptions(['mint']), {
    suites: ['mint'],
    rounds: 5,
    starts: 1,
    seconds: 1,
    warmSeconds: 2,
    only: null,
    workloads: null,
    tls: false,
    baseline: null,
    sockets: 5_000,
    replicas: 1,
    holdSeconds: 120,
    json: null,
  });
});

test('suites, lists and numbers are parsed', async (t) => {
  const options = readOptions([
    'http',
    'idle',
    '--only',
    'nginx,haproxy',
    '--duration',
    '0.2',
    '--sockets',
    '100',
    '--tls',
  ]);
  t.strictSame(options.suites, ['http', 'idle']);
  t.strictSame(options.only, ['nginx', 'haproxy']);
  t.equal(options.seconds, 0.2);
  t.equal(options.sockets, 100);
  t.equal(options.tls, true);
});

test('invalid options are refused', async (t) => {
  for (const args of [[], ['speed'], ['mint', '--rounds', '0'], ['mint', '--duration', 'long'], ['mint', '--fast']]) {
    t.throws(() => readOptions(args), TypeError, args.join(' '));
  }
});
