// The simulated WebSocket /stt/websocket.

import { problem } from '../problems.ts';
import { isBefore } from '../version.ts';
import type { SocketEndpoint } from './endpoint.ts';
import { openSttStream, type SttStream } from './stt-stream.ts';

/** Transcription in which the client says when a turn ends. @see https://docs.cartesia.ai/api-reference/stt/websocket */
export const sttEndpoint: SocketEndpoint = {
  path: '/stt/websocket',
  open: (opening) => openSttStream(opening, 'manual', listen),
};

function listen(stream: SttStream): void {
  const { session, transcriber, parameters } = stream;
  const { requestId: request_id, version } = session.upgrade;
  const older = isBefore(version, '2026-03-01') ? { is_final: false } : {};

  const interim = () => {
    session.send({ type: 'transcript', is_final: false, request_id, text: transcriber.peek().text });
  };
  const final = () => {
    const { text, words } = transcriber.take();
    if (text === '') return;
    const duration = Math.round(transcriber.seconds * 1000) / 1000;
    const { language } = parameters;
    session.send({ type: 'transcript', is_final: true, request_id, text, duration, language, words });
  };
  const close = () => {
    final();
    session.send({ type: 'done', request_id, ...older });
    session.close(1000);
  };

  session.start({
    binary(bytes) {
      if (stream.hear(bytes)) interim();
      const { maxSilenceSeconds } = parameters;
      if (maxSilenceSeconds !== null && transcriber.silentSeconds >= maxSilenceSeconds) final();
    },
    text(command) {
      if (command === 'finalize') {
        final();
        session.send({ type: 'flush_done', request_id, ...older });
      } else if (command === 'close' || command === 'done') close();
      else {
        const message = 'Text messages are finalize, close or done; audio is binary.';
        stream.report(problem(session.world.settings, 'invalid_request', { message }));
      }
    },
    errorEvent: (cause) => stream.report(cause),
  });
}
