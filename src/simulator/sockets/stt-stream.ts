// What both STT sockets share: opening, transcribing, paying, and reporting errors.

import { createSampleDecoder } from '../audio/encodings.ts';
import { createTranscriber, type Transcriber } from '../audio/transcriber.ts';
import { CREDIT_COST } from '../credits.ts';
import { type Problem, problem, sttErrorEvent } from '../problems.ts';
import { acceptBooked, admitted, type Opening, refuseOpened } from './endpoint.ts';
import type { SocketSession } from './session.ts';
import { readSttParameters, type SttParameters } from './stt-parameters.ts';

/** An accepted stream of audio. */
export interface SttStream {
  readonly session: SocketSession;
  readonly parameters: SttParameters;
  readonly transcriber: Transcriber;
  /** Takes more audio; returns whether text was added. Also false if the account cannot pay, which ends the stream. */
  hear(bytes: Buffer): boolean;
  /** Sends an error event; the stream goes on. */
  report(cause: Problem): void;
}

/** Checks everything that can be wrong with an upgrade, and calls `opened` if it may stream. */
export function openSttStream(opening: Opening, kind: 'manual' | 'turns', opened: (stream: SttStream) => void): void {
  const { world, query } = opening.upgrade;
  if (admitted(opening, 'stt', refuse) === null) return;
  const opens = (session: SocketSession) => {
    const parameters = readSttParameters(world, query, kind);
    if (parameters.outcome === 'read') opened(createStream(session, parameters.value));
    else refuse(session, parameters.problem);
  };
  acceptBooked(opening, 'stt', opens, world.settings.sockets.sttLimit === 'event' ? refuse : undefined);
}

function refuse(session: SocketSession, refused: Problem): void {
  refuseOpened(session, refused, errorEvent(session, refused));
}

function errorEvent({ upgrade }: SocketSession, cause: Problem): object {
  return sttErrorEvent(cause, { structured: upgrade.version.structured, requestId: upgrade.requestId });
}

function createStream(session: SocketSession, parameters: SttParameters): SttStream {
  const { world } = session;
  const decoder = createSampleDecoder(parameters.encoding);
  const transcriber = createTranscriber(parameters.sampleRate);
  const perSecond = parameters.isWhisper ? CREDIT_COST.sttWhisperPerSecond : CREDIT_COST.sttInkPerSecond;
  let paidSeconds = 0;

  /** Pays for each second of audio as it begins. */
  const pay = (): boolean => {
    const due = Math.ceil(transcriber.seconds) - paidSeconds;
    if (due <= 0) return true;
    paidSeconds += due;
    return world.credits.spend(due * perSecond);
  };

  session.closeWhenIdle(() => world.settings.idle.sttMs);
  return {
    session,
    parameters,
    transcriber,
    hear(bytes) {
      session.touch();
      const grew = transcriber.push(decoder.push(bytes));
      if (pay()) return grew;
      const spent = problem(world.settings, 'quota_exceeded');
      session.send(errorEvent(session, spent));
      session.close(1008, spent.title);
      return false;
    },
    report: (cause) => session.send(errorEvent(session, cause)),
  };
}
