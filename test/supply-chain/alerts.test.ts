// deploy/prometheus/alerts.yaml and the alarms in docs/operation.md use metrics that the broker really has, according to their types.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'tap';
import { parse } from 'yaml';
import { createLimits } from '../../src/limits/limits.ts';
import { measureLimits } from '../../src/limits/observe-limits.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { configOf, LEAST } from '../config/loading.ts';
import { ROOT } from '../source-imports.ts';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

interface RuleFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

const file = parse(readFileSync(path.join(ROOT, 'deploy/prometheus/alerts.yaml'), 'utf8')) as RuleFile;
const rules = file.groups.flatMap((group) => group.rules);

const metrics = createMetrics();
metrics.readBreaker(() => 'closed');
const store = createMemoryStore();
measureLimits(metrics.limits, createLimits({ config: await configOf(LEAST), store, onEvent() {} }), store);
const kinds = new Map(
  metrics.registry
    .getMetricsAsArray()
    .filter(({ name }) => name.startsWith('broker_'))
    .map((one) => [one.name, { type: String(one.type), labels: labelsOf(one) }]),
);

/** prom-client keeps them, but its types do not declare them. */
function labelsOf(metric: object): readonly string[] {
  return (metric as { readonly labelNames?: readonly string[] }).labelNames ?? [];
}

/** Every series that an expression uses. */
function seriesIn(
  expr: string,
): { readonly name: string; readonly labels: readonly string[]; readonly over: string | null }[] {
  return [...expr.matchAll(/(?:(\w+)\()?\b(broker_\w+)(?:\{([^}]*)\})?(\[\w+\])?/g)].map(
    ([, fn, name = '', matchers = '', range]) => ({
      name,
      labels: [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label ?? ''),
      over: range === undefined ? null : (fn ?? ''),
    }),
  );
}

test('every rule uses existing series with labels that they have', async (t) => {
  t.ok(rules.length > 15);
  t.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length, 'every name is unique');
  for (const { alert, expr, labels, annotations } of rules) {
    const series = seriesIn(expr);
    t.ok(series.length > 0, alert);
    t.match(labels.severity, /^(critical|warning|info)$/, alert);
    for (const { name, labels: asked, over } of series) {
      const isBucket = name.endsWith('_bucket');
      const metric = kinds.get(isBucket ? name.slice(0, -'_bucket'.length) : name);
      t.ok(metric, `${alert}: ${name}`);
      t.equal(isBucket, metric?.type === 'histogram', `${alert}: ${name} is a ${metric?.type}`);
      if (over === 'rate' || over === 'increase') t.not(metric?.type, 'gauge', `${alert}: ${over} of ${name}`);
      for (const label of asked) t.ok(metric?.labels.includes(label), `${alert}: ${name} has ${label}`);
    }
    const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', '));
    const known = new Set([
      'job',
      'instance',
      'le',
      ...series.flatMap(({ name }) => kinds.get(name.replace(/_bucket$/, ''))?.labels ?? []),
    ]);
    for (const label of grouped) t.ok(known.has(label), `${alert} groups by ${label}`);
    const isGrouped = grouped.length > 0 && !/^\w+ > 0 and on/.test(expr);
    for (const [, label = ''] of annotations.summary.matchAll(/\$labels\.(\w+)/g))
      t.ok(isGrouped ? grouped.includes(label) : known.has(label), `${alert} tells ${label}`);
  }
});

test('the alarms of the document and the alert rules use the same metrics', async (t) => {
  const text = readFileSync(path.join(ROOT, 'docs/operation.md'), 'utf8');
  const [section = ''] = /## Metrics worth an alarm\n[\s\S]*?(?=\n###? )/.exec(text) ?? [];
  const named = (of: string): Set<string> => new Set(seriesIn(of).map(({ name }) => name.replace(/_bucket$/, '')));
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const inDocument = named(rows.map((row) => row.split('`')[1]).join(' '));
  const inRules = named(rules.map(({ expr }) => expr).join(' '));
  t.strictSame(
    [...inRules].filter((name) => !inDocument.has(name)),
    [],
  );
  t.strictSame(
    [...inDocument].filter((name) => !inRules.has(name)),
    [],
  );
});
