// How many bytes of a WAV are a second. Pure.

/** Linear, float, A-law, µ-law and what the extended header describes: as many bits for each sample, whatever is said. */
const UNCOMPRESSED: ReadonlySet<number> = new Set([0x0001, 0x0003, 0x0006, 0x0007, 0xfffe]);

/**
 * @param head the beginning of a file
 * @returns `null` where it is no uncompressed WAV
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

/** By the samples: what the header says of bytes per second is what nobody reads. */
function rateOf(format: Buffer): number | null {
  if (!UNCOMPRESSED.has(format.readUInt16LE(0))) return null;
  const rate = (format.readUInt16LE(2) * format.readUInt32LE(4) * format.readUInt16LE(14)) / 8;
  return rate > 0 ? rate : null;
}
