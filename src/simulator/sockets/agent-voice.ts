// The agent's speech, sent in small frames at speaking pace or at once, and cut short when the user interrupts.

import { createSpeech } from '../audio/synthesiser.ts';
import type { AgentFormat } from './agent-audio.ts';
import type { SocketSession } from './session.ts';

export interface AgentVoiceOptions {
  readonly format: AgentFormat;
  readonly voiceId: string;
  readonly speed: number;
  /** `as_available` sends without waiting until the client has played what was sent before. */
  readonly delivery: 'speaking_pace' | 'as_available';
}

export interface AgentVoice {
  /**
   * Speaks, calling back for each frame of audio and for each piece of text as its audio begins. The pieces add up to the text.
   * @returns whether it came to the end
   */
  say(text: string, heard: { audio(bytes: Buffer): void; text(piece: string): void }): Promise<boolean>;
  /** Stops speaking at once. Returns whether there was anything to stop. */
  interrupt(): boolean;
}

const FRAME_SECONDS = 0.1;

export function createAgentVoice(session: SocketSession, options: AgentVoiceOptions): AgentVoice {
  const { format, voiceId, speed, delivery } = options;
  let stop: (() => void) | null = null;

  const pace = () =>
    new Promise<void>((resolve) => {
      if (delivery === 'speaking_pace') session.after(FRAME_SECONDS * 1000, resolve);
      else setImmediate(resolve);
    });

  return {
    async say(text, heard) {
      const { encoding, sampleRate, bytesPerSecond } = format;
      const speech = createSpeech({ voiceId, speed, sampleRate, encoding });
      const { words } = speech.say(text);
      speech.finish();
      const pieces = text.match(/\s*\S+\s*/g) ?? [];
      let isStopped = false;
      const { promise: stopped, resolve } = Promise.withResolvers<void>();
      const stopThis = () => {
        isStopped = true;
        resolve();
      };
      stop = stopThis;
      let said = 0;
      for (let seconds = 0; speech.pendingBytes > 0 && !isStopped && session.isOpen; seconds += FRAME_SECONDS) {
        for (; said < pieces.length && (words[said]?.start ?? 0) < seconds + FRAME_SECONDS; said += 1) {
          heard.text(pieces[said] ?? '');
        }
        heard.audio(speech.read(Math.round(bytesPerSecond * FRAME_SECONDS)));
        // Each frame is followed by a wait of its own length, so that speech ends when the user has heard it.
        await Promise.race([pace(), stopped]);
        await session.drained();
      }
      // Another text may have begun by now.
      if (stop === stopThis) stop = null;
      return !isStopped;
    },
    interrupt() {
      const stopped = stop;
      stop = null;
      stopped?.();
      return stopped !== null;
    },
  };
}
