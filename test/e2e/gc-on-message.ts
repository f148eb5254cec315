// Loaded into a broker's process by `measuredProcess` (`node --expose-gc --import`): reports how many bytes a full collection leaves alive,
// including those outside V8's heap.
process.on('message', (message) => {
  if (message !== 'memory') return;
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
// The channel alone must not keep the process alive.
process.channel?.unref();
