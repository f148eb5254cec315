// The socket of a managed agent: JSON both ways, named by `type`, with an error event of its own.
// https://docs.cartesia.ai/api-reference/agents/agent-websocket
import { agentErrorEvent } from '../../errors/event.ts';
import { Problem } from '../../errors/problems.ts';
import { checkSessionCreate } from './agent-rules.ts';
import { CallMeter } from './call-meter.ts';
import { readFields } from './message-fields.ts';
import type { Occasion, ProtocolHost, SocketProtocol, Verdict } from './protocol.ts';

const KNOWN: ReadonlySet<string> = new Set(['type', 'audio', 'dynamic_variables', 'input_format', 'output_delivery']);
/** Of a call that has begun. */
const TYPES: ReadonlySet<unknown> = new Set(['audio_input', 'dtmf_input', 'client_tool_result']);
/** An error is a sentence; audio is longer. */
const ERROR_MAX_BYTES = 16_384;
const ERROR = Buffer.from('error');

export class ManagedProtocol implements SocketProtocol {
  readonly takesBinary = false;
  readonly #host: ProtocolHost;
  readonly #overrides: ReadonlySet<string>;
  readonly #call = new CallMeter();

  constructor(host: ProtocolHost, overrides: ReadonlySet<string>) {
    this.#host = host;
    this.#overrides = overrides;
  }

  get usage() {
    return this.#call.usage;
  }

  /** Waiting for the end of a call could take an hour. */
  get isBusy(): boolean {
    return false;
  }

  clientText(payload: Buffer): Verdict {
    const problem = this.#check(payload);
    if (problem === null) {
      this.#call.passed(this.#host);
      return 'pass';
    }
    this.#tell(problem);
    return 'drop';
  }

  clientBinary(_bytes: number, isFirst: boolean): void {
    if (isFirst) this.#tell(new Problem('invalid_request', 'Messages on this socket are JSON text.'));
  }

  /** The form is already the one that clients read; only our key must not be in it. */
  upstreamText(bytes: Buffer, start: number, end: number): string | null {
    if (end - start > ERROR_MAX_BYTES) return null;
    const found = bytes.indexOf(ERROR, start);
    if (found === -1 || found >= end || !this.#host.isRevealing(bytes.toString('utf8', start, end))) return null;
    return JSON.stringify(agentErrorEvent('agent_failed', 'The agent reported an error.', false));
  }

  farewell(problem: Problem, occasion: Occasion): readonly string[] {
    if (occasion === 'said_by_upstream') return [];
    return [JSON.stringify(agentErrorEvent(problem.errorCode ?? problem.code, problem.message, true))];
  }

  cancels(): readonly string[] {
    return [];
  }

  look(): void {
    this.#call.look(this.#host.nowMs);
  }

  end(): void {
    this.#call.look(this.#host.touch());
  }

  #tell(problem: Problem): void {
    this.#host.toClient(JSON.stringify(agentErrorEvent(problem.code, problem.message, false)));
  }

  #check(payload: Buffer): Problem | null {
    try {
      const fields = readFields(payload, KNOWN);
      if (fields['type'] !== 'session_create') {
        if (TYPES.has(fields['type']) || this.#overrides.has('other')) return null;
        return new Problem('content_not_allowed', 'This caller may not send messages of this type.');
      }
      const refused = checkSessionCreate(fields, this.#overrides);
      if (refused === null) return null;
      const what = refused === 'other' ? 'a field of session_create that is not known here' : refused;
      return new Problem('content_not_allowed', `This caller may not set ${what}.`);
    } catch (error) {
      return error as Problem; // nothing else is thrown there
    }
  }
}
