// Computes how many bytes of a WAV file make one second. Pure.

const LINEAR = 0x0001;
const FLOAT = 0x0003;
const A_LAW = 0x0006;
const MU_LAW = 0x0007;
/** An extended header names the format in a GUID: the tag, one of the above or of a compressed format, followed by these fixed bytes. */
const EXTENSIBLE = 0xfffe;
const GUID_AT = 24;
const GUID_REST = Buffer.from('000000001000800000aa00389b71', 'hex');

/**
 * @param head the beginning of a file, up to its audio
 * @returns `null` if it is no uncompressed WAV, or not clearly one
 * @see http://soundfile.sapp.org/doc/WaveFormat/
 */
export function wavBytesPerSecond(head: Buffer): number | null {
  if (head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== 'WAVE') return null;
  let found: number | null = null;
  for (let at = 12; at + 8 <= head.length; ) {
    const name = head.toString('latin1', at, at + 4);
    const size = head.readUInt32LE(at + 4);
    if (name === 'data') return found;
    if (name === 'fmt ') {
      const rate = rateOf(head.subarray(at + 8, at + 8 + size));
      // With two format chunks, readers disagree about which one counts.
      if (rate === null || found !== null) return null;
      found = rate;
    }
    at += 8 + size + (size % 2);
  }
  return null; // the audio begins further on, perhaps after a second format
}

/** Computed from the sample format, because readers ignore the header's own field for bytes per second. */
function rateOf(format: Buffer): number | null {
  if (format.length < 16) return null;
  const width = sampleBytes(formatTag(format), format.readUInt16LE(14));
  const rate = format.readUInt16LE(2) * format.readUInt32LE(4) * width;
  return rate > 0 ? rate : null;
}

function formatTag(format: Buffer): number {
  const tag = format.readUInt16LE(0);
  if (tag !== EXTENSIBLE) return tag;
  const restAt = GUID_AT + 2;
  const isTag = format.subarray(restAt, restAt + GUID_REST.length).equals(GUID_REST);
  return isTag ? format.readUInt16LE(GUID_AT) : EXTENSIBLE;
}

/** 0 = a compressed format, without a fixed size of samples. */
function sampleBytes(tag: number, bits: number): number {
  if (tag === LINEAR || tag === FLOAT) return bits / 8;
  return tag === A_LAW || tag === MU_LAW ? 1 : 0; // a byte, whatever the header says
}
