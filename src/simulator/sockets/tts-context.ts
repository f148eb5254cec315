// One context of the TTS socket: text arrives in parts, audio leaves in chunks.

import type { PcmFormat } from '../audio/containers.ts';
import type { Score } from '../audio/score.ts';
import { createSpeech, type Speech } from '../audio/synthesiser.ts';
import type { Cancel } from '../clock.ts';
import { billedCharacters, CREDIT_COST } from '../credits.ts';
import { type Problem, problem } from '../problems.ts';
import type { GenerationRequest } from '../tts/generation-request.ts';
import { phonemeTimestamps, wordTimestamps } from '../tts/timestamps.ts';
import type { SocketSession } from './session.ts';

type Step =
  | { readonly kind: 'speak'; readonly text: string }
  | { readonly kind: 'flush'; readonly id: number }
  | { readonly kind: 'finish' };

/** Text that ends like this has enough context for good speech and is not held back. */
const SENTENCE_END = /[.!?…。！？]["')\]»”’]*\s*$/u;

export class TtsContext {
  readonly #session: SocketSession;
  readonly #id: string;
  readonly #request: GenerationRequest<PcmFormat>;
  readonly #speech: Speech;
  readonly #ended: () => void;
  #held = '';
  #steps: Step[] = [];
  #stopHolding: Cancel = () => {};
  #stopExpiry: Cancel = () => {};
  #isHolding = false;
  #isWorking = false;
  #isFinishing = false;
  #isOver = false;
  /** Chunks that may still be sent; finite once cancelled. */
  #chunksLeft = Number.POSITIVE_INFINITY;
  #flushes = 0;
  /** The flush that the text being spoken belongs to; counts from 1. */
  #segment = 1;

  /** @param ended called once, before the last event is sent */
  constructor(session: SocketSession, id: string, request: GenerationRequest<PcmFormat>, ended: () => void) {
    const { format, voiceId, speed, volume } = request;
    this.#session = session;
    this.#id = id;
    this.#request = request;
    this.#ended = ended;
    this.#speech = createSpeech({ voiceId, speed, volume, sampleRate: format.sampleRate, encoding: format.encoding });
  }

  /** Takes the next message of the context. Returns a problem if it cannot be accepted, which ends the context. */
  add(request: GenerationRequest): Problem | null {
    const { settings, credits } = this.#session.world;
    if (this.#isFinishing) {
      return problem(settings, 'invalid_request', { message: 'The context takes no more text.' });
    }
    const cost = billedCharacters(request.transcript) * CREDIT_COST.ttsPerCharacter;
    if (cost > 0 && !credits.spend(cost)) return problem(settings, 'quota_exceeded');
    this.#stopExpiry();
    this.#held += request.transcript;
    if (!request.continues) {
      this.#isFinishing = true;
      this.#speakHeld({ kind: 'finish' });
    } else if (request.flush) {
      this.#flushes += 1;
      this.#speakHeld({ kind: 'flush', id: this.#flushes });
    } else if (request.maxBufferDelayMs === 0 || SENTENCE_END.test(this.#held)) this.#speakHeld();
    else this.#hold(request.maxBufferDelayMs);
    return null;
  }

  /** Drops what has not begun. Some chunks of the generation under way still come. */
  cancel(): void {
    const { chunksAfterCancel } = this.#session.world.settings.sockets;
    this.#held = '';
    this.#steps = [];
    this.#isFinishing = true;
    this.#chunksLeft = this.#isWorking ? Math.min(this.#chunksLeft, chunksAfterCancel) : 0;
    this.#stopTimers();
    if (this.#chunksLeft === 0) this.#end();
  }

  /** Ends at once and without an event. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimers();
    this.#ended();
  }

  #hold(ms: number): void {
    // The delay counts from the first held text, not from the latest.
    if (this.#held === '') this.#expireLater();
    if (this.#held === '' || this.#isHolding) return;
    this.#isHolding = true;
    this.#stopHolding = this.#session.after(ms, () => this.#speakHeld());
  }

  #speakHeld(then?: Step): void {
    this.#stopHolding();
    this.#isHolding = false;
    if (this.#held !== '') this.#steps.push({ kind: 'speak', text: this.#held });
    this.#held = '';
    if (then !== undefined) this.#steps.push(then);
    if (!this.#isWorking) this.#work().catch(() => this.#session.fail());
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let step = this.#steps.shift(); step !== undefined && !this.#isOver; step = this.#steps.shift()) {
      if (step.kind === 'speak') await this.#speak(step.text);
      else if (step.kind === 'flush') this.#flushDone(step.id);
      else this.#speech.finish();
    }
    if (this.#isFinishing) await this.#sendChunks();
    this.#isWorking = false;
    if (this.#isOver) return;
    if (this.#isFinishing) this.#end();
    else this.#expireLater();
  }

  /** A context ends by itself some time after its last audio, unless more text has come or is held. */
  #expireLater(): void {
    if (this.#isHolding || this.#isWorking) return;
    this.#stopExpiry();
    this.#stopExpiry = this.#session.after(this.#session.world.settings.idle.contextMs, () => this.#end());
  }

  async #speak(text: string): Promise<void> {
    const { latency } = this.#session.world.settings;
    const score = this.#speech.say(text);
    // The final silence shares a chunk with the last words.
    if (this.#steps[0]?.kind === 'finish') {
      this.#steps.shift();
      this.#speech.finish();
    }
    await this.#pause(latency.firstByteMs);
    this.#sendChunk();
    this.#sendTimestamps(score);
    await this.#sendChunks();
  }

  async #sendChunks(): Promise<void> {
    while (this.#speech.pendingBytes > 0 && this.#chunksLeft > 0 && !this.#isOver) {
      await this.#pause(this.#session.world.settings.latency.perChunkMs);
      this.#sendChunk();
    }
  }

  /** Also lets other contexts and sockets run, and a slow client catch up. */
  async #pause(ms: number): Promise<void> {
    if (ms > 0) await new Promise<void>((resolve) => void this.#session.after(ms, resolve));
    else await new Promise((resolve) => setImmediate(resolve));
    await this.#session.drained();
  }

  #sendChunk(): void {
    if (this.#isOver || this.#chunksLeft <= 0 || this.#speech.pendingBytes === 0) return;
    this.#chunksLeft -= 1;
    const began = performance.now();
    const data = this.#speech.read(this.#session.world.settings.chunkBytes).toString('base64');
    const stepTime = Math.round((performance.now() - began) * 1000) / 1000;
    const rest = JSON.stringify({ done: false, status_code: 206, step_time: stepTime, ...this.#labels() }).slice(1);
    // Base64 needs no escaping; JSON.stringify would spend most of a chunk's time looking for characters that do.
    this.#send(`{"type":"chunk","data":"${data}",${rest}`);
  }

  #sendTimestamps(score: Score): void {
    const base = { done: false, status_code: 206, ...this.#labels() };
    if (this.#request.wordTimestamps && score.words.length > 0) {
      this.#send(JSON.stringify({ type: 'timestamps', ...base, word_timestamps: wordTimestamps(score) }));
    }
    if (this.#request.phonemeTimestamps && score.phonemes.length > 0) {
      this.#send(JSON.stringify({ type: 'phoneme_timestamps', ...base, phoneme_timestamps: phonemeTimestamps(score) }));
    }
  }

  #flushDone(id: number): void {
    this.#segment = id + 1;
    const event = { type: 'flush_done', done: false, flush_done: true, flush_id: id, status_code: 206 };
    this.#send(JSON.stringify({ ...event, context_id: this.#id }));
  }

  /** Chunks name their flush once the client has flushed at all. */
  #labels(): object {
    return { context_id: this.#id, ...(this.#flushes > 0 ? { flush_id: this.#segment } : {}) };
  }

  #send(text: string): void {
    if (this.#isOver) return;
    this.#session.touch();
    this.#session.sendText(text);
  }

  #end(): void {
    if (this.#isOver) return;
    const isSilent = Number.isFinite(this.#chunksLeft) && !this.#session.world.settings.sockets.doneAfterCancel;
    this.abandon();
    // `abandon` has freed the slot before the client hears of the end, because it may begin the next context at once.
    const event = { type: 'done', done: true, status_code: 206, context_id: this.#id };
    if (!isSilent) this.#session.send(event);
  }

  #stopTimers(): void {
    this.#stopHolding();
    this.#isHolding = false;
    this.#stopExpiry();
  }
}
