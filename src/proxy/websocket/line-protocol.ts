// The socket of a Line agent: JSON events both ways, named by `event`. It has no error event, so what is refused closes it.
// https://docs.cartesia.ai/line/integrations/websocket-api
import { Problem } from '../../errors/problems.ts';
import { checkLineStart } from './agent-rules.ts';
import { CallMeter } from './call-meter.ts';
import { CLOSE } from './close-code.ts';
import { readFields } from './message-fields.ts';
import type { ProtocolHost, SocketProtocol, Verdict } from './protocol.ts';

const KNOWN: ReadonlySet<string> = new Set([
  'event',
  'stream_id',
  'config',
  'agent',
  'metadata',
  'input_format',
  'voice_id',
  'system_prompt',
  'introduction',
]);
/** Of a call that has begun. */
const EVENTS: ReadonlySet<unknown> = new Set(['media_input', 'dtmf', 'custom']);

export class LineProtocol implements SocketProtocol {
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
    this.#host.cut(problem, CLOSE.policy);
    return 'drop';
  }

  clientBinary(): void {
    this.#host.cut(new Problem('invalid_request'), CLOSE.policy);
  }

  upstreamText(): null {
    return null;
  }

  farewell(): readonly string[] {
    return [];
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

  #check(payload: Buffer): Problem | null {
    try {
      const fields = readFields(payload, KNOWN);
      if (fields['event'] !== 'start') {
        return EVENTS.has(fields['event']) || this.#overrides.has('other') ? null : new Problem('content_not_allowed');
      }
      return checkLineStart(fields, this.#overrides) === null ? null : new Problem('content_not_allowed');
    } catch (error) {
      return error as Problem; // nothing else is thrown there
    }
  }
}
