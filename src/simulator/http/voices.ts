// The simulated endpoints GET /voices, /voices/{id}, the preview of a voice, and /accents.

import { speak } from '../audio/containers.ts';
import { problem } from '../problems.ts';
import { ACCENTS, VOICES, type Voice } from '../tts/catalogue.ts';
import { isBefore } from '../version.ts';
import type { Exchange } from './exchange.ts';
import type { Route, RouteCall } from './router.ts';

/** The endpoints that read the voice library. API key only. */
export const voiceRoutes: readonly Route[] = [
  { method: 'GET', path: '/voices', requires: 'api_key', handle: listVoices },
  // The SDKs 2.x call it with a trailing slash.
  { method: 'GET', path: '/voices/', requires: 'api_key', handle: listVoices },
  { method: 'GET', path: '/voices/{id}', requires: 'api_key', handle: getVoice },
  { method: 'GET', path: '/files/{id}/download', requires: 'api_key', handle: downloadPreview },
  {
    method: 'GET',
    path: '/accents',
    requires: 'api_key',
    handle: (exchange) =>
      exchange.sendJson(200, {
        accents: ACCENTS.map((accent) => ({ ...accent, is_locale_default: true, is_localizable: true })),
      }),
  },
];

/** Returns a page since version 2024-11-13, before that the bare list. */
function listVoices(exchange: Exchange): Promise<void> {
  const { query, version } = exchange;
  const found = VOICES.filter((voice) => matches(voice, query));
  if (isBefore(version, '2024-11-13'))
    return exchange.sendJson(
      200,
      found.map((voice) => shown(exchange, voice)),
    );
  const page = pageOf(found, query);
  return exchange.sendJson(200, { ...page, data: page.data.map((voice) => shown(exchange, voice)) });
}

function getVoice(exchange: Exchange, { params }: RouteCall): Promise<void> {
  const voice = VOICES.find(({ id }) => id === params['id']);
  if (voice !== undefined) return exchange.sendJson(200, shown(exchange, voice));
  const text = { title: 'Voice not found', message: 'The voice does not exist.' };
  return exchange.sendProblem(problem(exchange.world.settings, 'not_found', text));
}

function matches(voice: Voice, query: URLSearchParams): boolean {
  const text = query.get('q')?.toLowerCase();
  const gender = query.get('gender');
  // Nobody owns a voice of the simulated library.
  if (query.get('is_owner') === 'true') return false;
  if (gender !== null && voice.gender !== gender) return false;
  return (
    text === undefined || [voice.id, voice.name, voice.description].some((value) => value.toLowerCase().includes(text))
  );
}

const PAGE_SIZE = 10;
const LARGEST_PAGE = 100;

function pageOf(
  voices: readonly Voice[],
  query: URLSearchParams,
): { readonly data: readonly Voice[]; readonly has_more: boolean; readonly next_page?: string } {
  const asked = Number.parseInt(query.get('limit') ?? '', 10);
  const limit = asked >= 1 ? Math.min(asked, LARGEST_PAGE) : PAGE_SIZE;
  const indexOf = (name: string) => voices.findIndex(({ id }) => id === query.get(name));
  const before = query.has('ending_before') ? indexOf('ending_before') : -1;
  const start = before === -1 ? indexOf('starting_after') + 1 : Math.max(0, before - limit);
  const data = voices.slice(start, before === -1 ? start + limit : before);
  const hasMore = before === -1 ? start + data.length < voices.length : start > 0;
  const last = data.at(-1);
  return { data, has_more: hasMore, ...(hasMore && last ? { next_page: last.id } : {}) };
}

/** A voice in the shape of the request's version: `access` and `visibility` replaced `is_public` in 2026-08-14. */
function shown(exchange: Exchange, voice: Voice): Readonly<Record<string, unknown>> {
  const { version, query } = exchange;
  const { incompatibleModels: _, accent, country, gender, ...common } = voice;
  const base = { ...common, created_at: '2026-01-01T00:00:00Z', is_owner: false };
  if (isBefore(version, '2025-04-16')) return { ...base, is_public: true };
  const preview = query.getAll('expand[]').includes('preview_file_url')
    ? { preview_file_url: previewUrl(exchange, voice) }
    : {};
  if (isBefore(version, '2026-08-14')) return { ...base, is_public: true, gender, ...preview };
  const locales = [{ locale: `${voice.language}-${country}`, is_native: true }];
  const access = { access: 'public', visibility: 'all', tagline: voice.description, locales };
  return { ...base, ...access, accent, country, gender, ...preview };
}

/** A preview requires the same credential as the voice, so a web page cannot simply play it. */
async function downloadPreview(exchange: Exchange, { params }: RouteCall): Promise<void> {
  const { settings } = exchange.world;
  const voice = VOICES.find((candidate) => previewId(candidate) === params['id']);
  if (voice === undefined) {
    const text = { title: 'File not found', message: 'The file does not exist.' };
    return exchange.sendProblem(problem(settings, 'not_found', text));
  }
  const format = { container: 'wav', encoding: 'pcm_s16le', sampleRate: 24_000 } as const;
  const request = { transcript: voice.description, voiceId: voice.id, format, chunkBytes: settings.chunkBytes };
  exchange.start(200, { 'content-type': 'audio/wav' });
  for await (const piece of speak(request)) await exchange.write(piece);
  await exchange.end();
}

function previewUrl(exchange: Exchange, voice: Voice): string {
  const scheme = exchange.entry.secure ? 'https' : 'http';
  return `${scheme}://${exchange.request.headers.host ?? 'localhost'}/files/${previewId(voice)}/download`;
}

function previewId(voice: Voice): string {
  return `file_${voice.id}`;
}
