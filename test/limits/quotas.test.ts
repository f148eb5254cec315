import { test } from 'tap';
import { createQuotas } from '../../src/limits/quotas.ts';
import { createMemoryStore } from '../../src/store/memory-store.ts';
import { API_KEY, configOf, KEY_HASH } from '../config/loading.ts';

const HOUR_MS = 3_600_000;
const FILE = {
  upstream: { api_key: API_KEY },
  clients: { web: { auth: { keys: [KEY_HASH] }, limits: { quota: { characters: { subject: '10/hour' } } } } },
};

test('the next budget begins when it does, also where the clock of the store is another by minutes', async (t) => {
  const config = await configOf({ BROKER_CONFIG: `${t.testdir({ 'broker.json': JSON.stringify(FILE) })}/broker.json` });
  const nextHourMs = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;
  for (const aheadMs of [-600_000, -1_000, 0, 1_000, 600_000]) {
    const store = createMemoryStore();
    const budgets = {
      ...store.budgets,
      book: async () => ({ outcome: 'exceeded', line: 0, endsInMs: nextHourMs - Date.now() - aheadMs }) as const,
    };
    const quotas = createQuotas({ config, store: { ...store, budgets }, onEvent: () => {} });
    await t.rejects(Promise.resolve(quotas.book('characters', { client: 'web', subject: 'ann' }, 11)), {
      code: 'quota_exceeded',
      message: new RegExp(` begins at ${new Date(nextHourMs).toISOString().slice(0, 16)}Z\\.$`),
    });
  }
});
