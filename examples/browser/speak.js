// A page that speaks through the broker. It knows the broker's address and its user's session token, but not the API key.
import Cartesia from '@cartesia/cartesia-js';

/**
 * Exchanges the user's session token for an access token. The client calls the broker (delivery `proxied`) or Cartesia (`direct`), as the
 * response says; the page need not know which.
 */
export async function connect(brokerUrl, sessionToken) {
  const response = await fetch(`${brokerUrl}/access-token`, {
    method: 'POST',
    headers: { authorization: `Bearer ${sessionToken}`, 'content-type': 'application/json' },
    body: '{}',
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.title}: ${answer.message} (${answer.request_id})`);
  return new Cartesia({ token: answer.token, baseURL: answer.base_url });
}

/** A whole WAV file, for an `<audio>` element: `audio.src = URL.createObjectURL(blob)`. */
export async function speak(cartesia, transcript) {
  const response = await cartesia.tts.generate({
    model_id: 'sonic-3',
    transcript,
    voice: { id: VOICE },
    output_format: { container: 'wav', encoding: 'pcm_s16le', sample_rate: 24_000 },
  });
  return response.blob();
}

/** Speech as it is generated: yields `chunk` events with base64 audio, and `timestamps` of the words. */
export async function* speakInEvents(cartesia, transcript) {
  const events = await cartesia.tts.generateSSE({
    model_id: 'sonic-3',
    transcript,
    voice: { id: VOICE },
    output_format: { container: 'raw', encoding: 'pcm_s16le', sample_rate: 24_000 },
    add_timestamps: true,
  });
  for await (const event of events) {
    // Once a stream has begun, its errors are events: the SDK does not throw them.
    if (event.type === 'error') throw new Error(`${event.title}: ${event.message} (${event.request_id})`);
    yield event;
  }
}

/** The text of a recording, such as a blob from a MediaRecorder. */
export async function listen(cartesia, recording) {
  const file = new File([recording], 'recording.wav', { type: recording.type });
  const { text } = await cartesia.stt.transcribe({ file, model: 'ink-whisper', language: 'en' });
  return text;
}

const VOICE = '6ccbfb76-1fc6-48f7-b71d-91ac6298247b';
