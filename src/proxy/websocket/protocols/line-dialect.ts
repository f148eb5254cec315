// The messages of a Line agent's socket: events, named by `event`. There is no error event, so a refusal closes the socket.
// https://docs.cartesia.ai/line/integrations/websocket-api
import { Problem } from '../../../errors/problems.ts';
import { CLOSE } from '../frames/close-code.ts';
import type { AgentDialect } from './agent-protocol.ts';
import { checkLineStart } from './agent-rules.ts';
import { readFields } from './message-fields.ts';

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
/** Events of a call that has begun. */
const EVENTS: ReadonlySet<unknown> = new Set(['media_input', 'dtmf', 'custom']);

export const LINE: AgentDialect = {
  check(payload, overrides) {
    const fields = readFields(payload, KNOWN);
    const mayPass =
      fields['event'] === 'start'
        ? checkLineStart(fields, overrides) === null
        : EVENTS.has(fields['event']) || overrides.has('other');
    return mayPass ? null : new Problem('content_not_allowed');
  },
  refuse(problem, host) {
    host.cut(problem, CLOSE.policy);
  },
  replacement: () => null,
  farewell: () => [],
};
