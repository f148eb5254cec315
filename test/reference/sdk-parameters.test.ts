// The parameters of carried endpoints in the OpenAPI document, compared with what the official SDK sends.
import { Cartesia } from '@cartesia/cartesia-js';
import { test } from 'tap';
import { endpoints } from './described-answer.ts';

const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';

/** What one call sends, by name. */
interface Sent {
  readonly route: string;
  readonly query: readonly string[];
  readonly form: readonly string[];
}

/** The calls of carried endpoints that have parameters, with all of them. */
async function sentBySdk(): Promise<readonly Sent[]> {
  const sent: Sent[] = [];
  const cartesia = new Cartesia({
    token: 'unused',
    baseURL: 'https://voice.example.com',
    fetch: async (url, init) => {
      const { protocol, pathname, searchParams } = new URL(String(url));
      if (protocol === 'data:') return new Response(); // the SDK tries out its `fetch`
      sent.push({
        route: `${init?.method?.toUpperCase()} ${pathname.replace(VOICE, '{id}')}`,
        query: [...searchParams.keys()],
        form: init?.body instanceof FormData ? [...init.body.keys()] : [],
      });
      return Response.json({ data: [] });
    },
  });
  await cartesia.stt.transcribe({
    file: new File([Buffer.of(1)], 'a.pcm'),
    model: 'ink-whisper',
    encoding: 'pcm_s16le',
    sample_rate: 16_000,
    language: 'en',
    timestamp_granularities: ['word'],
  });
  await cartesia.voices.list({
    q: 'calm',
    gender: 'feminine',
    is_owner: true,
    expand: ['preview_file_url'],
    limit: 20,
    starting_after: VOICE,
    ending_before: VOICE,
  });
  await cartesia.voices.get(VOICE, { expand: ['preview_file_url'] });
  return sent;
}

test('the document lists every parameter that the official SDK sends', async (t) => {
  const sent = await sentBySdk();
  t.strictSame(
    sent.map(({ route, query, form }) => [route, query.length, form.length]),
    [
      ['POST /stt', 2, 4],
      ['GET /voices', 7, 0],
      ['GET /voices/{id}', 1, 0],
    ],
  );
  for (const { route, query, form } of sent) {
    const operation = endpoints.find(({ method, path }) => `${method} ${path}` === route)?.operation;
    const listed = operation?.parameters?.filter((parameter) => parameter.in === 'query').map(({ name }) => name);
    t.strictSame(listed?.toSorted(), query.toSorted(), route);
    const fields = operation?.requestBody?.content['multipart/form-data']?.schema.properties ?? {};
    t.strictSame(Object.keys(fields).toSorted(), form.toSorted(), route);
  }
});
