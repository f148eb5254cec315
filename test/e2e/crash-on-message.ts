// Loaded into a broker's process by tests (`node --import`): does what its parent asks for.
import { writeFileSync } from 'node:fs';

process.on('message', (message) => {
  const secret = process.env['CARTESIA_API_KEY'] ?? '';
  const error = Object.assign(
    new Error(`request with ${secret}\n    at ${secret} (file:///x.js:1:1)`, { cause: secret }),
    {
      code: 'E_TEST',
      headers: { authorization: `Bearer ${secret}` },
    },
  );
  if (message === 'throw')
    setImmediate(() => {
      throw error;
    }); // outside the channel's own handler
  if (message === 'reject') void Promise.reject(error);
  if (typeof message === 'object' && message !== null && 'reportTo' in message) {
    writeFileSync(String(message.reportTo), JSON.stringify(process.report.getReport()));
    process.send?.('reported');
  }
  if (typeof message === 'object' && message !== null && 'blockMs' in message) {
    process.send?.('blocking');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(message.blockMs));
  }
  if (message === 'title') process.send?.({ title: process.title, argv: process.argv, execArgv: process.execArgv });
});
// The channel alone must not keep the process alive.
process.channel?.unref();
