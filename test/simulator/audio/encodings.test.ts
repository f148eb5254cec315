import { test } from 'tap';
import { decodeSamples, encodeSamples } from '../../../src/simulator/audio/encodings.ts';
import { readWav } from '../../../src/simulator/audio/wav.ts';

test('samples are encoded to the bytes that the standards define', (t) => {
  const samples = Float32Array.from([0, 1, -1, 0.5, -0.5, 2, -2]);
  t.same(
    [...new Int16Array(encodeSamples(samples, 'pcm_s16le').slice().buffer)],
    [0, 32_767, -32_767, 16_384, -16_383, 32_767, -32_767],
  );
  t.same([...new Float32Array(encodeSamples(samples, 'pcm_f32le').slice().buffer)], [0, 1, -1, 0.5, -0.5, 1, -1]);
  // G.711: silence, the loudest positive and the loudest negative value.
  t.same([...encodeSamples(samples.subarray(0, 3), 'pcm_mulaw')], [0xff, 0x80, 0x00]);
  t.same([...encodeSamples(samples.subarray(0, 3), 'pcm_alaw')], [0xd5, 0xaa, 0x2a]);
  t.end();
});

test('every G.711 byte decodes to a value that encodes to the same byte', (t) => {
  const all = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const encoding of ['pcm_mulaw', 'pcm_alaw'] as const) {
    const again = encodeSamples(
      decodeSamples(all, encoding).map((sample) => (sample * 32_768) / 32_767),
      encoding,
    );
    // Mu-law has two zeros; the negative one is encoded as the positive one.
    const expected = all.map((byte) => (encoding === 'pcm_mulaw' && byte === 0x7f ? 0xff : byte));
    t.same(again, expected, encoding);
  }
  t.end();
});

test('32-bit integers and half floats are decoded, and values that are not finite become silence', (t) => {
  t.same([...decodeSamples(Buffer.from('000000800000004000000000ffffff7f', 'hex'), 'pcm_s32le')], [-1, 0.5, 0, 1]);
  // 1, -2, the smallest subnormal, infinity, NaN; the last byte is not a whole sample.
  t.same(
    [...decodeSamples(Buffer.from('003c00c00100007c017eff', 'hex'), 'pcm_f16le')],
    [1, -2, Math.fround(2 ** -24), 0, 0],
  );
  t.same([...decodeSamples(Buffer.from('0000c07f0000807f0000003f', 'hex'), 'pcm_f32le')], [0, 0, 0.5]);
  t.end();
});

test('WAV files of the usual formats are read and mixed to one channel', (t) => {
  const wav = (format: { tag: number; channels: number; bits: number }, data: Buffer) => {
    const head = Buffer.alloc(24 + 12);
    head.write('RIFF', 0, 'latin1');
    head.write('WAVEfmt ', 8, 'latin1');
    head.writeUInt32LE(16, 16);
    head.writeUInt16LE(format.tag, 20);
    head.writeUInt16LE(format.channels, 22);
    head.writeUInt32LE(16_000, 24);
    head.writeUInt16LE(format.bits, 34);
    const list = Buffer.from('LIST\x03\0\0\0abc\0data', 'latin1');
    const length = Buffer.alloc(4);
    length.writeUInt32LE(data.length);
    return Buffer.concat([head, list, length, data, Buffer.from('LIST')]);
  };
  const samples = (file: Buffer) => [...(readWav(file)?.samples ?? [])];
  t.same(samples(wav({ tag: 1, channels: 1, bits: 8 }, Buffer.from([128, 0, 192]))), [0, -1, 0.5]);
  t.same(samples(wav({ tag: 1, channels: 1, bits: 24 }, Buffer.from([0, 0, 0x80, 0, 0, 0x40]))), [-1, 0.5]);
  t.same(samples(wav({ tag: 1, channels: 2, bits: 16 }, Buffer.from([0, 0x40, 0, 0xc0, 0, 0x40, 0, 0]))), [0, 0.25]);
  t.equal(readWav(wav({ tag: 85, channels: 1, bits: 0 }, Buffer.alloc(4))), undefined, 'an unknown format');
  t.equal(readWav(wav({ tag: 1, channels: 0, bits: 16 }, Buffer.alloc(4))), undefined, 'no channel at all');
  t.end();
});
