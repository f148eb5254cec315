// Computes how many bytes of a WAV file make one second. Pure.

/** Format tags of linear PCM, float, A-law, µ-law and the extended header: every sample has the same number of bits. */
const UNCOMPRESSED: ReadonlySet<number> = new Set([0x0001, 0x0003, 0x0006, 0x0007, 0xfffe]);

/**
 * @param head the beginning of a file
 * @returns `null` if it is no uncompressed WAV
 * @see http://soundfile.sapp.org/doc/WaveFormat/
 */
export function wavBytesPerSecond(head: Buffer): number | null {
  if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') return null;
  for (let at = 12; at + 24 <= head.length; ) {
    const size = head.readUInt32LE(at + 4);
    if (head.toString('latin1', at, at + 4) === 'fmt ') return size < 16 ? null : rateOf(head.subarray(at + 8));
    at += 8 + size + (size % 2);
  }
  return null;
}

/** Computed from the sample format, because readers ignore the header's own field for bytes per second. */
function rateOf(format: Buffer): number | null {
  if (!UNCOMPRESSED.has(format.readUInt16LE(0))) return null;
  const rate = (format.readUInt16LE(2) * format.readUInt32LE(4) * format.readUInt16LE(14)) / 8;
  return rate > 0 ? rate : null;
}
