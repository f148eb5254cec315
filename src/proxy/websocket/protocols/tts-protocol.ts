// The protocol of TTS sockets: checks each JSON message of the client against policy, and counts upstream's audio chunks as they pass.
// https://docs.cartesia.ai/api-reference/tts/websocket and https://docs.cartesia.ai/use-the-api/tts-websocket/contexts
import { fieldsOf, ttsErrorEvent } from '../../../errors/event.ts';
import { Problem } from '../../../errors/problems.ts';
import { readErrorEvent } from '../../upstream-error-event.ts';
import type { SessionGuard } from '../session-guard.ts';
import type { SessionRules } from '../session-rules.ts';
import { audioBytes, contextOfChunk, isChunk, lengthOfData } from './audio-chunk.ts';
import { type Fields, fieldsIn } from './message-fields.ts';
import type { MessageVerdict, Occasion, ProtocolHost, SocketProtocol, SocketUsage } from './protocol.ts';
import { TtsAudio } from './tts-audio.ts';
import { TtsCharacters } from './tts-characters.ts';
import { type TtsContext, TtsContexts } from './tts-contexts.ts';
import { readTtsMessage, type TtsMessage } from './tts-message.ts';

/** Messages that wait for leases, of all contexts together. */
const HELD_MAX_BYTES = 1024 * 1024;

type Generation = Extract<TtsMessage, { kind: 'generation' }>;

export class TtsProtocol implements SocketProtocol {
  readonly takesBinary = false;
  readonly usage: SocketUsage = { characters: 0, audioBytes: 0, audioSeconds: 0, callSeconds: 0 };
  readonly #host: ProtocolHost;
  readonly #rules: SessionRules;
  readonly #guard: SessionGuard;
  readonly #contexts = new TtsContexts();
  readonly #characters = new TtsCharacters(this.usage);
  readonly #audio = new TtsAudio(this.usage);
  #heldBytes = 0;

  constructor(host: ProtocolHost, rules: SessionRules, guard: SessionGuard) {
    this.#host = host;
    this.#rules = rules;
    this.#guard = guard;
  }

  get isBusy(): boolean {
    return this.#contexts.size > 0;
  }

  clientText(payload: Buffer, keep: () => Buffer): MessageVerdict {
    const message = readTtsMessage(payload, this.#rules.content);
    switch (message.kind) {
      case 'generation':
        return this.#generate(message, keep);
      case 'cancel':
        return this.#cancel(message.id);
      case 'refused':
        this.#refuse(message.problem, message.id);
        return 'drop';
    }
  }

  clientBinary(isFirst: boolean): void {
    if (isFirst) this.#refuse(new Problem('invalid_request', 'Messages on this socket must be JSON text.'), null);
  }

  clientAudio(): void {}

  upstreamText(bytes: Buffer, start: number, end: number): string | null {
    if (this.#audio.isUniform && isChunk(bytes, start, end)) {
      const isPlain = this.#contexts.only !== null && !this.#characters.hasRefused;
      this.#heard(isPlain ? null : contextOfChunk(bytes, start, end), false);
      this.#audio.count(audioBytes(bytes, start, end), '');
      return null;
    }
    const event = fieldsIn(bytes, start, end);
    if (event === null) return null;
    const id = typeof event['context_id'] === 'string' ? event['context_id'] : null;
    if (event['type'] === 'error') return this.#error(event, id);
    const isOver = event['type'] === 'done' || event['done'] === true;
    this.#heard(id, isOver);
    if (event['type'] === 'chunk') this.#audio.count(lengthOfData(event), id ?? '');
    if (isOver) this.#over(id ?? this.#contexts.likeliest?.id ?? '');
    return null;
  }

  /** One error for each context, because the reader of a context looks only at that context's events. */
  farewell(problem: Problem, occasion: Occasion): readonly string[] {
    const waiting = this.#contexts.all().filter(({ isTold }) => !isTold);
    if (waiting.length === 0 && occasion === 'unread_message') return [this.#eventOf(problem, null)];
    return waiting.map(({ id }) => this.#eventOf(problem, id));
  }

  cancels(): readonly string[] {
    const going = this.#contexts
      .all()
      .filter(({ held, isCancelled, id }) => held === null && !isCancelled && id !== '');
    return going.map(({ id }) => cancelOf(id));
  }

  look(): void {
    const { nowMs } = this.#host;
    this.#characters.look(nowMs);
    // With a slow client, what upstream says may still be on its way, so no context counts as silent.
    if (this.#host.isClientFull) this.listenAfresh();
    for (const context of this.#contexts.silent(nowMs)) this.#fellSilent(context);
  }

  listenAfresh(): void {
    for (const context of this.#contexts.all()) context.activeAtMs = this.#host.nowMs;
  }

  /** The contexts' leases end with the socket's. */
  end(): void {
    for (const context of this.#contexts.all()) {
      this.#settle(context);
      this.#contexts.end(context.id);
    }
  }

  #checkAmounts({ id, characters }: Generation): Problem | null {
    const context = this.#contexts.get(id);
    const { content, maxContexts, maxSessionCharacters } = this.#rules;
    if (context === undefined && this.#contexts.size >= maxContexts) {
      return new Problem('concurrency_limited', `This socket may have at most ${maxContexts} contexts at once.`);
    }
    if (content.maxTranscript !== null && (context?.characters ?? 0) + characters > content.maxTranscript) {
      return new Problem(
        'content_not_allowed',
        `The transcript is longer than the ${content.maxTranscript} characters this caller may use.`,
      );
    }
    if (maxSessionCharacters !== null && this.#characters.all + characters > maxSessionCharacters) {
      return new Problem('content_not_allowed', `This session has used up its ${maxSessionCharacters} characters.`);
    }
    return null;
  }

  #generate(message: Generation, keep: () => Buffer): MessageVerdict {
    const { id, characters, bytesPerSecond } = message;
    const problem = this.#checkAmounts(message);
    if (problem !== null) {
      this.#refuse(problem, id);
      return 'drop';
    }
    const { nowMs } = this.#host;
    const known = this.#contexts.get(id);
    const context = known ?? this.#contexts.begin(id, nowMs);
    if (context.isCancelled) this.#contexts.renew(context);
    this.#characters.add(context, characters);
    this.#audio.learn(id, bytesPerSecond, () => this.#contexts.all().map((one) => one.id));
    if (known === undefined) {
      const turn = this.#guard.beginContext(id);
      if (turn !== 'go') {
        context.held = [];
        turn
          .catch(() => new Problem('internal_error'))
          .then((answer) => this.#turnCame(context, answer))
          .catch((error: unknown) => this.#host.failed(error));
      }
    }
    if (context.held === null) {
      this.#contexts.touch(context, nowMs);
      return 'pass';
    }
    this.#hold(context, context.held, keep());
    return 'drop';
  }

  #hold(context: TtsContext, held: Buffer[], frames: Buffer): void {
    held.push(frames);
    this.#heldBytes += frames.length;
    if (this.#heldBytes > HELD_MAX_BYTES) this.#refuse(new Problem('concurrency_limited'), context.id);
  }

  #turnCame(context: TtsContext, answer: 'go' | Problem): void {
    const { held } = context;
    if (held === null || this.#contexts.get(context.id) !== context) return; // it ended while it waited
    if (answer !== 'go') {
      this.#refuse(answer, context.id);
      return;
    }
    context.held = null;
    this.#contexts.touch(context, this.#host.nowMs);
    for (const frames of held) {
      this.#heldBytes -= frames.length;
      this.#host.forward(frames);
    }
  }

  #cancel(id: string): MessageVerdict {
    const context = this.#contexts.get(id);
    if (context === undefined) return 'pass'; // it may have ended a moment ago
    if (context.held === null) {
      context.isCancelled = true;
      this.#contexts.touch(context, this.#host.nowMs);
      return 'pass';
    }
    // Upstream does not know the context, but its reader waits for an end.
    this.#end(id);
    this.#host.toClient(JSON.stringify({ type: 'done', done: true, status_code: 206, context_id: id }));
    return 'drop';
  }

  /** Refuses a message. That ends its context, because every client takes an error for the end. */
  #refuse(problem: Problem, id: string | null): void {
    const context = id === null ? undefined : this.#contexts.get(id);
    if (context !== undefined) this.#stop(context);
    this.#host.toClient(this.#eventOf(problem, id));
  }

  /** A context that was sent to upstream keeps its lease until upstream ends it or falls silent. */
  #stop(context: TtsContext): void {
    if (context.held !== null) {
      this.#end(context.id);
      return;
    }
    context.isTold = true;
    if (context.isCancelled) return;
    context.isCancelled = true;
    this.#contexts.touch(context, this.#host.nowMs);
    if (context.id !== '') this.#host.toUpstream(cancelOf(context.id));
  }

  #fellSilent(context: TtsContext): void {
    this.#end(context.id);
    // After a cancel nobody waits for an event, and an event without a context id reaches no reader.
    if (!context.isCancelled && context.renewal === 'none' && context.id !== '')
      this.#host.toClient(this.#eventOf(new Problem('upstream_timeout'), context.id));
  }

  #heard(named: string | null, isOver: boolean): void {
    if (named !== null && this.#characters.spoken(named) && !isOver) this.#speaksOn(named);
    const context = named === null ? this.#contexts.likeliest : this.#contexts.named(named);
    if (context === null || context === undefined || context.held !== null) return;
    context.activeAtMs = this.#host.nowMs;
    if (context.renewal === 'unheard') context.renewal = 'none';
    this.#characters.taken(context);
  }

  /** Upstream has ended the context, or the part of it before a cancel. */
  #over(id: string): void {
    const context = this.#contexts.get(id);
    if (context?.renewal === 'ending') context.renewal = 'unheard';
    else this.#end(id);
  }

  /** Cancels a context that upstream speaks although an error has ended it for its reader and given back its lease. */
  #speaksOn(id: string): void {
    if (this.#contexts.get(id) === undefined) this.#host.toUpstream(cancelOf(id));
  }

  #error(event: Fields, named: string | null): string {
    const likeliest = named === null ? (this.#contexts.likeliest?.id ?? null) : null;
    const id = named ?? likeliest;
    const fields = readErrorEvent(event, likeliest === '' ? null : likeliest, this.#host);
    const context = id === null ? undefined : this.#contexts.get(id);
    if (context !== undefined && context.held === null) {
      const isRemembered = this.#characters.refused(context, this.#host.nowMs);
      if (named === null && !isRemembered && !context.isCancelled && id !== '')
        this.#host.toUpstream(cancelOf(context.id));
      if (fields.status === 429) this.#guard.contextRefused(context.id);
    }
    if (id !== null) this.#end(id);
    return JSON.stringify(ttsErrorEvent(fields));
  }

  #eventOf(problem: Problem, id: string | null): string {
    return JSON.stringify(ttsErrorEvent(fieldsOf(problem, this.#host.requestId, id === '' ? null : id)));
  }

  #end(id: string): void {
    const context = this.#contexts.get(id);
    if (context !== undefined) this.#settle(context);
    if (this.#contexts.end(id)) this.#guard.endContext(id);
    this.#audio.ended(id);
  }

  #settle(context: TtsContext): void {
    const { held } = context;
    if (held === null) {
      this.#characters.taken(context);
      return;
    }
    this.#characters.dropped(context);
    for (const frames of held) this.#heldBytes -= frames.length;
  }
}

function cancelOf(id: string): string {
  return JSON.stringify({ context_id: id, cancel: true });
}
