import { test } from 'tap';
import { wavBytesPerSecond } from '../../src/proxy/wav-header.ts';

interface Format {
  readonly tag?: number;
  readonly channels?: number;
  readonly rate?: number;
  readonly bits?: number;
  /** The byte rate in the header, which nothing reads. */
  readonly saidBytesPerSecond?: number;
}

const DATA = Buffer.from('data\0\0\0\0', 'latin1');

function wav(format: Format = {}, before: Buffer = Buffer.alloc(0)): Buffer {
  const { tag = 1, channels = 1, rate = 16_000, bits = 16, saidBytesPerSecond = 1 } = format;
  const fmt = Buffer.alloc(24);
  fmt.write('fmt ', 0, 'latin1');
  fmt.writeUInt32LE(16, 4);
  fmt.writeUInt16LE(tag, 8);
  fmt.writeUInt16LE(channels, 10);
  fmt.writeUInt32LE(rate, 12);
  fmt.writeUInt32LE(saidBytesPerSecond, 16);
  fmt.writeUInt16LE(bits, 22);
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), before, fmt, DATA]);
}

test('the byte rate of an uncompressed WAV is computed from its samples', async (t) => {
  t.equal(wavBytesPerSecond(wav()), 32_000);
  t.equal(wavBytesPerSecond(wav({ channels: 2, rate: 48_000, bits: 32, tag: 3 })), 384_000);
  t.equal(wavBytesPerSecond(wav({ tag: 7, rate: 8_000, bits: 8 })), 8_000);
  const junk = Buffer.from('JUNK\x03\0\0\0abc\0', 'latin1');
  t.equal(wavBytesPerSecond(wav({}, junk)), 32_000, 'other chunks before it, padded to an even length');
});

/** An extended header, whose GUID begins with the tag of a format. */
function extended(tag: number, rest = '000000001000800000aa00389b71'): Buffer {
  const format = Buffer.alloc(40);
  wav({ tag: 0xfffe }).copy(format, 0, 20, 36);
  format.writeUInt16LE(22, 16);
  format.writeUInt16LE(tag, 24);
  format.write(rest, 26, 'hex');
  return Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVEfmt \x28\0\0\0', 'latin1'), format, DATA]);
}

test('what a sample takes is not for the header to make up', async (t) => {
  for (const tag of [6, 7])
    t.equal(wavBytesPerSecond(wav({ tag, rate: 8_000, bits: 65_535 })), 8_000, 'a byte for each, of A-law and µ-law');
  t.equal(wavBytesPerSecond(extended(1)), 32_000);
  t.equal(wavBytesPerSecond(extended(7)), 16_000);
  t.equal(wavBytesPerSecond(extended(0x55)), null, 'MP3 behind an extended header');
  t.equal(wavBytesPerSecond(extended(1, '21071d118644c8c1ca000000')), null, 'a GUID of somebody else');
  t.equal(wavBytesPerSecond(extended(1).subarray(0, 50)), null, 'half a GUID');
  t.equal(wavBytesPerSecond(wav({ bits: 8 }, wav({ bits: 64 }).subarray(12, 36))), null, 'two formats');
  t.equal(wavBytesPerSecond(wav({}, wav({ tag: 0x55 }).subarray(12, 36))), null, 'two formats, the first compressed');
  t.equal(wavBytesPerSecond(wav().subarray(0, -DATA.length)), null, 'a second format may follow further on');
  const behind = Buffer.concat([wav(), wav({ bits: 8 }).subarray(12)]);
  t.equal(wavBytesPerSecond(behind), 32_000, 'audio that looks like a format');
});

test('anything else has no known rate', async (t) => {
  for (const [what, head] of [
    ['nothing', Buffer.alloc(0)],
    ['MP3', Buffer.from('ID3\x04\0\0\0\0\0\0')],
    ['big-endian RIFF', Buffer.from(wav().toString('latin1').replace('RIFF', 'RIFX'), 'latin1')],
    ['another form of RIFF', Buffer.from(wav().toString('latin1').replace('WAVE', 'AVI '), 'latin1')],
    ['audio before its format', Buffer.concat([wav().subarray(0, 12), DATA, wav().subarray(12)])],
    ['a cut header', wav().subarray(0, 30)],
    ['a compressed WAV', wav({ tag: 0x55 })],
    ['no channel', wav({ channels: 0 })],
    ['no rate', wav({ rate: 0 })],
    ['a format that is too short', Buffer.from(wav().toString('latin1').replace('fmt \x10', 'fmt \x0e'), 'latin1')],
    ['a chunk that is longer than the head', wav({}, Buffer.from('JUNK\xff\xff\xff\x7f', 'latin1'))],
  ] as const)
    t.equal(wavBytesPerSecond(head), null, what);
});
