// The simulated WebSocket /v1/agents/websocket/{agent_id}.

import { randomUUID } from 'node:crypto';
import type { AgentSession } from '../agent-sessions.ts';
import type { Cancel } from '../clock.ts';
import { credentialOf } from '../credentials.ts';
import { isRecord } from '../is-record.ts';
import type { Problem } from '../problems.ts';
import { DEFAULT_VOICE_ID } from '../tts/catalogue.ts';
import type { Upgrade } from '../upgrade.ts';
import { type AgentFormat, agentFormat } from './agent-audio.ts';
import { AgentConversation, type AgentLine, type EndedTurn, type ToolCall } from './agent-conversation.ts';
import { missingVariables, type Variables, variablesFault } from './agent-variables.ts';
import { acceptBooked, admitted, refuseOpened, type SocketEndpoint } from './endpoint.ts';
import { parsedMessage } from './message.ts';
import type { SocketSession } from './session.ts';

/**
 * Calls with a managed agent. Besides keys and access tokens, a session token opens it, once and for its own agent only.
 * @see https://docs.cartesia.ai/api-reference/agents/agent-websocket
 */
export const agentManagedEndpoint: SocketEndpoint = {
  path: '/v1/agents/websocket/{agent_id}',
  open: (opening) => {
    const { world } = opening.upgrade;
    const agentId = opening.params['agent_id'] ?? '';
    const token = credentialIn(opening.upgrade);
    const agentSession = world.agentSessions.find(token, agentId, world.clock.now());
    const caller = agentSession === null ? admitted(opening, 'agent', refuse) : SESSION_TOKEN;
    if (caller === null) return;
    const mayGiveVariables = caller.kind === 'api_key';
    acceptBooked(opening, 'agents', (session) => {
      world.agentSessions.use(token);
      new AgentManagedSocket(session, { agentId, agentSession, mayGiveVariables }).start();
    });
  },
};

const SESSION_TOKEN = { kind: 'session_token' } as const;

function credentialIn({ world, query, request }: Upgrade): string {
  const found = credentialOf(world, { headers: request.headers, query });
  return found.outcome === 'found' ? found.credential : '';
}

function refuse(session: SocketSession, refused: Problem): void {
  const { title, message } = refused;
  refuseOpened(session, refused, errorEvent('invalid_event', `${title}: ${message}`, true));
}

type ErrorCode =
  | 'invalid_event'
  | 'agent_failed'
  | 'missing_dynamic_variables'
  | 'invalid_dynamic_variables'
  | 'dynamic_variables_not_allowed';

/** This socket's own form of errors, unlike that of HTTP and of the speech sockets. */
function errorEvent(code: ErrorCode, message: string, fatal: boolean): object {
  return { type: 'error', code, message, fatal };
}

interface CallOptions {
  readonly agentId: string;
  /** What the app's server has fixed for this call, or null. */
  readonly agentSession: AgentSession | null;
  readonly mayGiveVariables: boolean;
}

type Message = Readonly<Record<string, unknown>>;
type Delivery = 'speaking_pace' | 'as_available';

const LONGEST_TOOL_CALL_ID = 256;
const LONGEST_RESULT_BYTES = 4_096;
const LONGEST_ERROR_TYPE_BYTES = 256;

class AgentManagedSocket {
  readonly #session: SocketSession;
  readonly #options: CallOptions;
  readonly #tools = new Map<string, (result: string) => void>();
  #conversation: AgentConversation | null = null;
  #stopWaiting: Cancel = () => {};

  constructor(session: SocketSession, options: CallOptions) {
    this.#session = session;
    this.#options = options;
  }

  start(): void {
    const { idle } = this.#session.world.settings;
    this.#session.closeWhenIdle(() => idle.agentManagedMs);
    this.#stopWaiting = this.#session.after(idle.agentFirstMessageMs, () =>
      this.#fail('invalid_event', 'session_create did not come in time.', 1008),
    );
    this.#session.start({
      text: (text) => {
        this.#session.touch();
        this.#receive(parsedMessage(text) ?? {});
      },
      binary: () => this.#session.send(errorEvent('invalid_event', 'Messages are JSON text.', false)),
      errorEvent: ({ title }) => this.#fail('agent_failed', title, 1011),
    });
  }

  #receive(message: Message): void {
    const complaint = this.#handle(message);
    // Not fatal: the event is ignored and the socket stays open.
    if (complaint !== null) this.#session.send(errorEvent('invalid_event', complaint, false));
  }

  /** Handles an event; returns what is wrong with it, or null. */
  #handle(message: Message): string | null {
    switch (message['type']) {
      case 'session_create':
        return this.#create(message);
      case 'audio_input':
        if (typeof message['audio'] !== 'string') return 'audio must be a base64 string.';
        // Audio is dropped until the session is ready.
        this.#conversation?.hear(Buffer.from(message['audio'], 'base64'));
        return null;
      case 'dtmf_input':
        if (typeof message['digit'] !== 'string' || !DIGIT.test(message['digit'])) return 'digit must be one of 0-9*#.';
        this.#conversation?.digit(message['digit']);
        return null;
      case 'client_tool_result':
        return this.#toolResult(message);
      default:
        return 'The type of the event is not known.';
    }
  }

  #create(message: Message): string | null {
    if (this.#conversation !== null) return 'The session exists already.';
    const wish = readSessionCreate(message);
    if (typeof wish === 'string') return wish;
    if (!this.#areVariablesGood(wish.variables)) return null;
    this.#stopWaiting();
    this.#session.send({
      type: 'session_ready',
      call_id: `ac_${randomUUID()}`,
      agent_id: this.#options.agentId,
      agent_version_id: `agent_version_${this.#options.agentId}`,
      audio: { input_format: wish.formatName, output_delivery: wish.delivery },
    });
    this.#conversation = this.#converse(wish.format, wish.delivery);
    const { introduction } = this.#session.world.settings.agents;
    const override = this.#options.agentSession?.configOverrides['initial_message'];
    this.#conversation.begin(typeof override === 'string' ? override : introduction);
    return null;
  }

  /** Returns whether the call can begin with these variables; if not, ends it with a fatal error. */
  #areVariablesGood(given: Variables | undefined): boolean {
    if (given !== undefined && !this.#options.mayGiveVariables) {
      this.#fail('dynamic_variables_not_allowed', 'Dynamic variables need an API key or a session.', 1008);
      return false;
    }
    const variables = { ...given, ...this.#options.agentSession?.dynamicVariables };
    const fault = variablesFault(variables);
    const missing = missingVariables(variables, this.#session.world.settings.agents.requiredVariables);
    if (fault !== null) this.#fail('invalid_dynamic_variables', fault, 1008);
    else if (missing.length > 0) this.#fail('missing_dynamic_variables', `Missing: ${missing.join(', ')}.`, 1008);
    return fault === null && missing.length === 0;
  }

  #converse(format: AgentFormat, delivery: Delivery): AgentConversation {
    const output = outputOverrides(this.#options.agentSession?.configOverrides ?? {});
    const line: AgentLine = {
      audio: (bytes) => this.#session.send({ type: 'audio_output', audio: bytes.toString('base64') }),
      clear: () => this.#session.send({ type: 'audio_output_clear' }),
      press: (digit) => this.#session.send({ type: 'dtmf_output', digit }),
      // This protocol has no transfer.
      transfer: () => {},
      callTool: (name, parameters) => this.#callTool(name, parameters),
      hangUp: () => this.#session.close(1000, 'call ended by agent'),
      fail: () => this.#fail('agent_failed', 'The agent broke down, as it was asked to.', 1011),
      turnStarted: ({ number, role, startTime }) =>
        this.#session.send({ type: 'turn_started', turn: number, role, start_time: startTime }),
      turnText: ({ number, role }, text) =>
        this.#session.send({ type: 'turn_output_text_delta', turn: number, role, text }),
      turnEnded: (turn) => this.#turnEnded(turn),
    };
    return new AgentConversation(this.#session, line, { format, delivery, ...output });
  }

  #turnEnded(turn: EndedTurn): void {
    const { number, role, text, interrupted, startTime, endTime, eagerEndTime, toolCalls } = turn;
    this.#session.send({
      type: 'turn_ended',
      turn: number,
      role,
      text,
      interrupted,
      start_time: startTime,
      end_time: endTime,
      ...(eagerEndTime === undefined ? {} : { eager_end_timestamp: eagerEndTime }),
      tool_calls: toolCalls,
    });
  }

  async #callTool(name: string, parameters: Readonly<Record<string, unknown>>): Promise<ToolCall> {
    const id = `tc_${randomUUID()}`;
    this.#session.send({
      type: 'client_tool_call',
      tool_call_id: id,
      tool_name: name,
      parameters,
      expects_response: true,
    });
    const result = await new Promise<string>((resolve) => this.#tools.set(id, resolve));
    return { name, arguments: parameters, result, id };
  }

  #toolResult(message: Message): string | null {
    const { tool_call_id: id, result, is_error: isError, error_type: errorType } = message;
    if (typeof id !== 'string' || id.length > LONGEST_TOOL_CALL_ID) return 'tool_call_id is not valid.';
    if (typeof result !== 'string' || Buffer.byteLength(result) > LONGEST_RESULT_BYTES) {
      return `result must be a string of at most ${LONGEST_RESULT_BYTES} bytes.`;
    }
    const isFlag = isError === undefined || typeof isError === 'boolean';
    const isType =
      errorType === undefined ||
      (typeof errorType === 'string' && Buffer.byteLength(errorType) <= LONGEST_ERROR_TYPE_BYTES);
    if (!isFlag || !isType) return 'is_error or error_type is not valid.';
    const answer = this.#tools.get(id);
    if (answer === undefined) return 'No such tool call is open.';
    this.#tools.delete(id);
    answer(result);
    return null;
  }

  #fail(code: ErrorCode, message: string, closeCode: 1008 | 1011): void {
    this.#session.send(errorEvent(code, message, true));
    this.#session.close(closeCode, code);
  }
}

interface SessionWish {
  readonly formatName: string;
  readonly format: AgentFormat;
  readonly delivery: Delivery;
  readonly variables: Variables | undefined;
}

const SESSION_FIELDS = new Set(['type', 'audio', 'dynamic_variables']);
const AUDIO_FIELDS = new Set(['input_format', 'output_delivery']);
const DIGIT = /^[0-9*#]$/;

/** Returns what the client wants, or what is wrong with the message. This socket refuses unknown fields. */
function readSessionCreate(message: Message): SessionWish | string {
  const { audio, dynamic_variables: variables } = message;
  if (!isRecord(audio)) return 'audio must be an object.';
  const unknown =
    Object.keys(message).find((name) => !SESSION_FIELDS.has(name)) ??
    Object.keys(audio).find((name) => !AUDIO_FIELDS.has(name));
  if (unknown !== undefined) return `Unknown field: ${unknown.slice(0, 100)}.`;
  const format = agentFormat(audio['input_format']);
  if (format === undefined) return 'audio.input_format is not valid.';
  const delivery = audio['output_delivery'] ?? 'speaking_pace';
  if (delivery !== 'speaking_pace' && delivery !== 'as_available') return 'audio.output_delivery is not valid.';
  if (variables !== undefined && !isRecord(variables)) return 'dynamic_variables must be an object.';
  return { formatName: String(audio['input_format']), format, delivery, variables };
}

/** Voice and speed, which a session may override. */
function outputOverrides(overrides: Readonly<Record<string, unknown>>): { voiceId: string; speed: number } {
  const audio = isRecord(overrides['audio']) ? overrides['audio'] : {};
  const output = isRecord(audio['output']) ? audio['output'] : {};
  return {
    voiceId: typeof output['voice_id'] === 'string' ? output['voice_id'] : DEFAULT_VOICE_ID,
    speed: typeof output['speed'] === 'number' ? output['speed'] : 1,
  };
}
