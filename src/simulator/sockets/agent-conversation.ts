// A call with the scripted agent, independent of the protocol that carries it.

import { createSampleDecoder } from '../audio/encodings.ts';
import { createTranscriber } from '../audio/transcriber.ts';
import type { Cancel } from '../clock.ts';
import { type AgentVoice, type AgentVoiceOptions, createAgentVoice } from './agent-voice.ts';
import { type AgentAction, replyTo, replyToDigit } from './scripted-agent.ts';
import type { SocketSession } from './session.ts';
import { createTurnDetector, type TurnEvent } from './turn-detector.ts';

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly result?: string;
  readonly id?: string;
}

/** One turn; times are seconds since the call began. */
export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly interrupted: boolean;
  readonly startTime: number;
  readonly endTime: number;
  readonly eagerEndTime?: number;
  readonly toolCalls: readonly ToolCall[];
}

/** How a protocol reports the events of a call. */
export interface AgentLine {
  audio(bytes: Buffer): void;
  /** Tells the client to discard audio that was sent and not yet played. */
  clear(): void;
  press(digit: string): void;
  transfer(number: string): void;
  /** Resolves with the tool's result; null if the protocol has no tools. */
  callTool(name: string, parameters: Readonly<Record<string, unknown>>): Promise<ToolCall> | null;
  hangUp(reason: string | null): void;
  fail(): void;
  turnStarted(role: Turn['role'], startTime: number): void;
  turnText(text: string): void;
  turnEnded(turn: Turn): void;
}

/** A user who sends no audio for this long has stopped speaking. */
const NO_AUDIO_MS = 1_000;

export class AgentConversation {
  readonly #session: SocketSession;
  readonly #line: AgentLine;
  readonly #voice: AgentVoice;
  readonly #decoder: ReturnType<typeof createSampleDecoder>;
  readonly #transcriber: ReturnType<typeof createTranscriber>;
  readonly #turns = createTurnDetector();
  readonly #beganAt: number;
  #userStart = 0;
  #eagerEnd: number | null = null;
  #stopWaiting: Cancel = () => {};
  /** Incremented when the user interrupts, which makes everything the agent was about to do obsolete. */
  #round = 0;
  #work: Promise<void> = Promise.resolve();

  constructor(session: SocketSession, line: AgentLine, options: AgentVoiceOptions) {
    this.#session = session;
    this.#line = line;
    this.#voice = createAgentVoice(session, options);
    this.#decoder = createSampleDecoder(options.format.encoding);
    this.#transcriber = createTranscriber(options.format.sampleRate);
    this.#beganAt = session.world.clock.now();
  }

  begin(introduction: string): void {
    if (introduction !== '') this.#perform([{ kind: 'say', text: introduction }]);
  }

  digit(digit: string): void {
    this.#interrupt();
    this.#perform(replyToDigit(digit));
  }

  hear(bytes: Buffer): void {
    const transcriber = this.#transcriber;
    transcriber.push(this.#decoder.push(bytes));
    this.#follow(this.#turns.hear(transcriber.peek().text, transcriber.silentSeconds));
    this.#stopWaiting();
    if (!this.#turns.isInTurn) return;
    this.#stopWaiting = this.#session.after(NO_AUDIO_MS, () => this.#follow(this.#turns.end(transcriber.peek().text)));
  }

  #follow(events: readonly TurnEvent[]): void {
    for (const event of events) {
      if (event.type === 'start') {
        this.#interrupt();
        this.#userStart = this.#now();
        this.#eagerEnd = null;
        this.#line.turnStarted('user', this.#userStart);
      } else if (event.type === 'eager_end') this.#eagerEnd = this.#now();
      else if (event.type === 'end') this.#answer(event.transcript);
    }
  }

  #answer(text: string): void {
    this.#transcriber.take();
    this.#line.turnEnded({
      role: 'user',
      text,
      interrupted: false,
      startTime: this.#userStart,
      endTime: this.#now(),
      ...(this.#eagerEnd === null ? {} : { eagerEndTime: this.#eagerEnd }),
      toolCalls: [],
    });
    this.#perform(replyTo(text));
  }

  #interrupt(): void {
    this.#round += 1;
    // Work that waits for a tool that never answers must not block the rest of the call.
    this.#work = Promise.resolve();
    if (this.#voice.interrupt()) this.#line.clear();
  }

  #perform(actions: readonly AgentAction[]): void {
    const round = this.#round;
    const isOutdated = () => round !== this.#round || !this.#session.isOpen;
    this.#work = this.#work
      .then(async () => {
        for (const action of actions) if (!isOutdated()) await this.#act(action, isOutdated);
      })
      .catch(() => this.#line.fail());
  }

  async #act(action: AgentAction, isOutdated: () => boolean): Promise<void> {
    switch (action.kind) {
      case 'say':
        return this.#say(action.text, []);
      case 'press':
        return this.#line.press(action.digit);
      case 'transfer':
        return this.#line.transfer(action.number);
      case 'hang_up':
        return this.#line.hangUp(action.reason);
      case 'fail':
        return this.#line.fail();
      case 'call_tool': {
        const call = this.#line.callTool(action.name, action.parameters);
        if (call === null) return this.#say('I have no tools on this line.', []);
        const answered = await call;
        return isOutdated() ? undefined : this.#say(`The tool says ${answered.result}`, [answered]);
      }
      default:
        action satisfies never;
    }
  }

  async #say(text: string, toolCalls: readonly ToolCall[]): Promise<void> {
    const startTime = this.#now();
    let said = '';
    this.#line.turnStarted('assistant', startTime);
    const isComplete = await this.#voice.say(text, {
      audio: (bytes) => this.#line.audio(bytes),
      text: (piece) => {
        said += piece;
        this.#line.turnText(piece);
      },
    });
    this.#line.turnEnded({
      role: 'assistant',
      text: said,
      interrupted: !isComplete,
      startTime,
      endTime: this.#now(),
      toolCalls,
    });
  }

  #now(): number {
    return Math.round(this.#session.world.clock.now() - this.#beganAt) / 1000;
  }
}
