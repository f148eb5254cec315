// Loaded into a broker's process by socket-random.test.ts (`node --expose-gc --import`): says how much memory is alive.
process.on('message', (message) => {
  if (message !== 'memory') return;
  globalThis.gc?.();
  process.send?.(process.memoryUsage().heapUsed);
});
// The channel alone shall not keep the process alive.
process.channel?.unref();
