// The messages of a managed agent's socket: named by `type`, with an error event of its own.
// https://docs.cartesia.ai/api-reference/agents/agent-websocket
import { agentErrorEvent } from '../../../errors/event.ts';
import { Problem } from '../../../errors/problems.ts';
import type { AgentDialect } from './agent-protocol.ts';
import { checkSessionCreate } from './agent-rules.ts';
import { readFields } from './message-fields.ts';

const KNOWN: ReadonlySet<string> = new Set(['type', 'audio', 'dynamic_variables', 'input_format', 'output_delivery']);
/** Messages of a call that has begun. */
const TYPES: ReadonlySet<unknown> = new Set(['audio_input', 'dtmf_input', 'client_tool_result']);
/** An error is a sentence; what is longer is audio. */
const ERROR_MAX_BYTES = 16_384;
const ERROR = Buffer.from('error');

export const MANAGED: AgentDialect = {
  check(payload, overrides) {
    const fields = readFields(payload, KNOWN);
    if (fields['type'] !== 'session_create') {
      if (TYPES.has(fields['type']) || overrides.has('other')) return null;
      return new Problem('content_not_allowed', 'This caller may not send messages of this type.');
    }
    const refused = checkSessionCreate(fields, overrides);
    if (refused === null) return null;
    const what = refused === 'other' ? 'a field of session_create that the broker does not know' : refused;
    return new Problem('content_not_allowed', `This caller may not set ${what}.`);
  },
  refuse(problem, host) {
    host.toClient(JSON.stringify(agentErrorEvent(problem.code, problem.message, false)));
  },
  /** Errors already have the form that clients read; they only must not contain our key. */
  replacement(bytes, start, end, host) {
    if (end - start > ERROR_MAX_BYTES) return null;
    const found = bytes.indexOf(ERROR, start);
    if (found === -1 || found >= end || !host.isRevealing(bytes.toString('utf8', start, end))) return null;
    return JSON.stringify(agentErrorEvent('agent_failed', 'The agent reported an error.', false));
  },
  farewell(problem, occasion) {
    if (occasion === 'said_by_upstream') return [];
    return [JSON.stringify(agentErrorEvent(problem.errorCode ?? problem.code, problem.message, true))];
  },
};
