// The simulated WebSocket /stt/turns/websocket.

import type { Cancel } from '../clock.ts';
import { isRecord } from '../is-record.ts';
import { problem } from '../problems.ts';
import type { SocketEndpoint } from './endpoint.ts';
import { parsedMessage } from './message.ts';
import { openSttStream, type SttStream } from './stt-stream.ts';
import { createTurnDetector, type TurnEvent, type TurnThresholds } from './turn-detector.ts';

/** Transcription in which the model finds the turns. @see https://docs.cartesia.ai/use-the-api/stt/troubleshooting/auto */
export const sttTurnsEndpoint: SocketEndpoint = {
  path: '/stt/turns/websocket',
  open: (opening) => openSttStream(opening, 'turns', listen),
};

const DEFAULT_TIMEOUT_MS = 5_600;
/** The documented maximum. */
const MAXIMUM_TIMEOUT_MS = 11_200;

function listen(stream: SttStream): void {
  const { session, transcriber } = stream;
  const { requestId: request_id, query } = session.upgrade;
  const turns = createTurnDetector();
  let timeoutMs = DEFAULT_TIMEOUT_MS;
  let stopTimeout: Cancel = () => {};

  const configure = (read: (name: string) => unknown) => {
    turns.thresholds = thresholdsFrom(read, turns.thresholds);
    timeoutMs = Math.min(MAXIMUM_TIMEOUT_MS, Math.max(0, numberOr(read('end_timeout_ms'), timeoutMs)));
  };
  const tell = (events: readonly TurnEvent[]) => {
    for (const { type, ...rest } of events) {
      if (type === 'end') transcriber.take();
      session.send({ type: `turn.${type}`, ...rest, request_id });
    }
  };
  const endTurn = () => tell(turns.end(transcriber.peek().text));
  /** A client that stops sending also ends its turn, only later. */
  const endTurnLater = () => {
    stopTimeout();
    if (turns.isInTurn) stopTimeout = session.after(timeoutMs, endTurn);
  };
  const refuse = (message: string) => stream.report(problem(session.world.settings, 'invalid_request', { message }));

  configure((name) => query.get(`turn_${name}`) ?? undefined);
  session.start({
    binary(bytes) {
      stream.hear(bytes);
      if (!session.isOpen) return;
      tell(turns.hear(transcriber.peek().text, transcriber.silentSeconds));
      endTurnLater();
    },
    text(text) {
      const message = parsedMessage(text) ?? {};
      const { type } = message;
      if (type === 'close') {
        endTurn();
        session.close(1000);
      } else if (type === 'config') {
        const { turn = {} } = message;
        if (isRecord(turn)) configure((name) => turn[name]);
        else refuse('✖ Invalid input: expected object\n  → at turn');
      } else refuse('Text messages are JSON objects of type config or close; audio is binary.');
    },
    errorEvent: (cause) => stream.report(cause),
  });
  session.send({ type: 'connected', request_id });
}

function thresholdsFrom(read: (name: string) => unknown, before: TurnThresholds): TurnThresholds {
  return {
    eagerEnd: numberOr(read('eager_end_threshold'), before.eagerEnd),
    end: numberOr(read('end_threshold'), before.end),
  };
}

/** Cartesia's allowed ranges changed between releases, so any number is accepted. */
function numberOr(value: unknown, fallback: number): number {
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : fallback;
}
