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

/** One turn as it begins; times are seconds since the call began. */
export interface Turn {
  /** Counts from 1, over both roles. */
  readonly number: number;
  readonly role: 'user' | 'assistant';
  readonly startTime: number;
}

export interface EndedTurn extends Turn {
  readonly text: string;
  readonly interrupted: boolean;
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
  turnStarted(turn: Turn): void;
  turnText(turn: Turn, text: string): void;
  /** Not called for a turn with which the agent hangs up. */
  turnEnded(turn: EndedTurn): void;
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
  #lastTurn = 0;
  #userTurn: Turn = { number: 0, role: 'user', startTime: 0 };
  #eagerEnd: number | null = null;
  #stopWaiting: Cancel = () => {};
  /** Incremented when the user interrupts, which makes everything the agent was about to do obsolete. */
  #round = 0;
  #work: Promise<void> = Promise.resolve();
  /** Settles when what the agent says has ended. */
  #speaking: Promise<void> = Promise.resolve();

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
        this.#eagerEnd = null;
        this.#userTurn = this.#startTurn('user');
      } else if (event.type === 'eager_end') this.#eagerEnd = this.#now();
      else if (event.type === 'end') this.#answer(event.transcript);
    }
  }

  #answer(text: string): void {
    this.#transcriber.take();
    this.#line.turnEnded({
      ...this.#userTurn,
      text,
      interrupted: false,
      endTime: this.#now(),
      ...(this.#eagerEnd === null ? {} : { eagerEndTime: this.#eagerEnd }),
      toolCalls: [],
    });
    this.#perform(replyTo(text));
  }

  #interrupt(): void {
    this.#round += 1;
    // The interrupted turn ends before the next one starts, but work that waits for a tool that never answers must not block the call.
    this.#work = this.#speaking;
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
      case 'hang_up': {
        const { lastWords, reason } = action;
        if (lastWords === null) return this.#line.hangUp(reason);
        return this.#speak(lastWords, [], (turn) =>
          isOutdated() ? this.#line.turnEnded(turn) : this.#line.hangUp(reason),
        );
      }
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

  #say(text: string, toolCalls: readonly ToolCall[]): Promise<void> {
    return this.#speak(text, toolCalls, (turn) => this.#line.turnEnded(turn));
  }

  #speak(text: string, toolCalls: readonly ToolCall[], ended: (turn: EndedTurn) => void): Promise<void> {
    this.#speaking = this.#utter(text, toolCalls).then(ended);
    return this.#speaking;
  }

  async #utter(text: string, toolCalls: readonly ToolCall[]): Promise<EndedTurn> {
    const turn = this.#startTurn('assistant');
    let said = '';
    const isComplete = await this.#voice.say(text, {
      audio: (bytes) => this.#line.audio(bytes),
      text: (piece) => {
        said += piece;
        this.#line.turnText(turn, piece);
      },
    });
    return { ...turn, text: said, interrupted: !isComplete, endTime: this.#now(), toolCalls };
  }

  #startTurn(role: Turn['role']): Turn {
    this.#lastTurn += 1;
    const turn: Turn = { number: this.#lastTurn, role, startTime: this.#now() };
    this.#line.turnStarted(turn);
    return turn;
  }

  #now(): number {
    return Math.round(this.#session.world.clock.now() - this.#beganAt) / 1000;
  }
}
