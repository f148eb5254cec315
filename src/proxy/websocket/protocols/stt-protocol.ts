// The protocol of transcription sockets: counts the client's audio as it passes, leaves its commands (bare words or JSON) and upstream's
// transcripts unchanged, and rewrites upstream's errors.
// https://docs.cartesia.ai/api-reference/stt/websocket
import { fieldsOf, sttErrorEvent } from '../../../errors/event.ts';
import type { Problem } from '../../../errors/problems.ts';
import { readErrorEvent } from '../../upstream-error-event.ts';
import { fieldsIn } from './message-fields.ts';
import type { MessageVerdict, Occasion, ProtocolHost, SocketProtocol, SocketUsage } from './protocol.ts';

const ERROR = Buffer.from('error');
/** An error is a few sentences; what is longer passes unread. */
const ERROR_MAX_BYTES = 16_384;

export class SttProtocol implements SocketProtocol {
  readonly takesBinary = true;
  readonly usage: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
  /** Never: someone may be speaking at any moment, so there is no end to wait for. */
  readonly isBusy = false;
  readonly #host: ProtocolHost;
  readonly #bytesPerSecond: number | null;

  /** @param bytesPerSecond of the audio, according to the query; `null` = the query does not determine it */
  constructor(host: ProtocolHost, bytesPerSecond: number | null) {
    this.#host = host;
    this.#bytesPerSecond = bytesPerSecond;
  }

  clientText(): MessageVerdict {
    return 'pass';
  }

  clientBinary(): void {}

  clientAudio(bytes: number): void {
    this.usage.audioBytes += bytes;
    if (this.#bytesPerSecond !== null) this.usage.audioSeconds += bytes / this.#bytesPerSecond;
  }

  upstreamText(bytes: Buffer, start: number, end: number): string | null {
    if (end - start > ERROR_MAX_BYTES) return null;
    const found = bytes.indexOf(ERROR, start);
    if (found === -1 || found >= end) return null;
    const event = fieldsIn(bytes, start, end);
    if (event?.['type'] !== 'error') return null;
    return JSON.stringify(sttErrorEvent(readErrorEvent(event, null, this.#host)));
  }

  farewell(problem: Problem, occasion: Occasion): readonly string[] {
    if (occasion === 'said_by_upstream') return [];
    return [JSON.stringify(sttErrorEvent(fieldsOf(problem, this.#host.requestId, null)))];
  }

  cancels(): readonly string[] {
    return [];
  }

  look(): void {}

  listenAfresh(): void {}

  end(): void {}
}
