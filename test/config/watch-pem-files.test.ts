// When changed PEM files are taken up, and when they are reported. The files are real; their content is one word.
import { readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { watchPemFiles } from '../../src/config/watch-pem-files.ts';

async function setUp(t: Test, { inUse = 'one', held = 'one' } = {}) {
  const file = `${t.testdir({ 'cert.pem': held })}/cert.pem`;
  const seen = { loads: 0, used: [] as string[], renewed: 0, mended: 0, failed: [] as string[] };
  const state = { wrong: '', isSlow: false, onRead: async (): Promise<void> => {} };
  const watch = watchPemFiles({
    files: [file],
    everyMs: 60_000,
    async load() {
      seen.loads += 1;
      if (state.isSlow) await sleep(20);
      if (state.wrong !== '') throw new Error('must not be reported');
      const content = await readFile(file, 'utf8');
      await state.onRead();
      return content;
    },
    inUse,
    use: (content) => seen.used.push(content),
    whatIsWrong: () => state.wrong,
    onRenewed() {
      seen.renewed += 1;
    },
    onMended() {
      seen.mended += 1;
    },
    onFailed: (wrong) => seen.failed.push(wrong),
  });
  t.teardown(() => watch.stop());
  /** Nothing signals that nothing happens, so wait as long as several reads take. */
  const looked = async (): Promise<void> => {
    for (let i = 0; i < 16; i += 1) {
      await sleep(5);
      await readFile(file).catch(() => {});
    }
  };
  const look = (): Promise<void> => {
    watch.look();
    return looked();
  };
  await looked();
  return { file, seen, state, watch, look };
}

test('a change written before the watch began is taken up at once', async (t) => {
  const { seen } = await setUp(t, { held: 'another' });
  t.strictSame(seen, { loads: 1, used: ['another'], renewed: 1, mended: 0, failed: [] });
});

test('each change is taken up once, including one back to the former content', async (t) => {
  const { file, seen, look } = await setUp(t);
  for (const content of ['another', 'one']) {
    await writeFile(file, content);
    await look();
    await look();
  }
  t.strictSame(seen, { loads: 3, used: ['another', 'one'], renewed: 2, mended: 0, failed: [] });
});

test('a file with only a newer timestamp changes nothing', async (t) => {
  const { file, seen, look } = await setUp(t);
  await utimes(file, 1, 1);
  await look();
  t.strictSame(seen, { loads: 2, used: [], renewed: 0, mended: 0, failed: [] });
});

test('a half-written pair is tried again though its files have not changed', async (t) => {
  const { file, seen, state, look } = await setUp(t);
  state.wrong = 'half';
  await writeFile(file, 'another');
  await look();
  state.wrong = '';
  await look();
  t.strictSame([seen.used, seen.failed], [['another'], ['half']]);
});

test('a fault is reported once, and again if the files were good in between', async (t) => {
  const { file, seen, state, look } = await setUp(t);
  const spoil = async (wrong: string): Promise<void> => {
    state.wrong = wrong;
    await writeFile(`${file}.new`, 'broken');
    await rename(`${file}.new`, file);
    await look();
    await look();
  };
  await spoil('a');
  await spoil('b');
  state.wrong = '';
  await writeFile(file, 'good');
  await look();
  await spoil('b');
  t.strictSame(seen.failed, ['a', 'b', 'b']);
  t.strictSame(seen.used, ['good'], 'meanwhile the former content stays in use');
  t.strictSame([seen.renewed, seen.mended], [1, 0], 'new content counts as renewed, not as mended');
});

test('files that come back unchanged are good again', async (t) => {
  const { file, seen, state, look } = await setUp(t);
  for (const time of ['first', 'second']) {
    await rename(file, `${file}.old`);
    state.wrong = 'away';
    await look();
    t.equal(seen.failed.length, time === 'first' ? 1 : 2, time);
    await rename(`${file}.old`, file);
    await look();
    t.equal(seen.mended, time === 'first' ? 1 : 2, `${time}: reported once`);
  }
  t.equal(seen.loads, 1, 'nothing has changed');
});

test('a look that is still running is not started a second time', async (t) => {
  const { file, seen, state, watch, look } = await setUp(t);
  state.isSlow = true;
  await writeFile(file, 'another');
  for (let i = 0; i < 3; i += 1) watch.look();
  await look();
  t.strictSame([seen.loads, seen.used], [2, ['another']]);
});

test('a change that a look under way has missed is found by the next one, which was asked for meanwhile', async (t) => {
  const { file, seen, state, watch, look } = await setUp(t);
  state.onRead = async () => {
    state.onRead = async () => {};
    await writeFile(`${file}.new`, 'third');
    await rename(`${file}.new`, file);
    watch.look();
  };
  await writeFile(file, 'another');
  await look();
  t.strictSame(seen.used, ['another', 'third']);
});
