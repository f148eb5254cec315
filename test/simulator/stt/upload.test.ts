import { test } from 'tap';
import { transcribeUpload } from '../../../src/simulator/stt/upload.ts';

const MINUTE = { bytes: Buffer.alloc(60 * 8_000, 0x55), raw: { encoding: 'pcm_mulaw', sampleRate: '8000' } };

test('a long upload lets everybody else have their turn', async (t) => {
  let turns = 0;
  let isHeard = false;
  const count = () => {
    turns += 1;
    if (!isHeard) setImmediate(count);
  };
  setImmediate(count);
  const heard = await transcribeUpload(MINUTE.bytes, MINUTE.raw, new AbortController().signal);
  isHeard = true;
  t.match(heard, { text: '', seconds: 60 });
  t.ok(turns >= 10, `${turns} turns in a minute of audio`);
});

test('an upload whose client has gone is not heard to its end', async (t) => {
  const controller = new AbortController();
  const heard = transcribeUpload(MINUTE.bytes, MINUTE.raw, controller.signal);
  controller.abort();
  await t.rejects(heard, { name: 'AbortError' });
});
