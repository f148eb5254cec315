// Loaded into a broker's process by `measuredProcess` (`node --expose-gc --import`): says how many bytes a full collection leaves alive, those
// outside V8's heap among them.
process.on('message', (message) => {
  if (message !== 'memory') return;
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
// The channel alone shall not keep the process alive.
process.channel?.unref();
