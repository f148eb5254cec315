// The simulated WebSocket /agents/stream/{agent_id}.

import { randomUUID } from 'node:crypto';
import { isRecord } from '../is-record.ts';
import { DEFAULT_VOICE_ID } from '../tts/catalogue.ts';
import { type AgentFormat, agentFormat } from './agent-audio.ts';
import { AgentConversation, type AgentLine } from './agent-conversation.ts';
import { acceptBooked, admitted, refuseOpened, type SocketEndpoint } from './endpoint.ts';
import { parsedMessage } from './message.ts';
import type { SocketSession } from './session.ts';

/** Calls with a Line agent. @see https://docs.cartesia.ai/line/integrations/web-calls */
export const agentLineEndpoint: SocketEndpoint = {
  path: '/agents/stream/{agent_id}',
  open: (opening) => {
    if (admitted(opening, 'agent', (session, refused) => refuseOpened(session, refused, null)) === null) return;
    acceptBooked(opening, 'agents', (session) => new AgentLineSocket(session).start());
  },
};

type Message = Readonly<Record<string, unknown>>;

class AgentLineSocket {
  readonly #session: SocketSession;
  #streamId = '';
  #conversation: AgentConversation | null = null;

  constructor(session: SocketSession) {
    this.#session = session;
  }

  start(): void {
    const { settings } = this.#session.world;
    this.#session.closeWhenIdle(() => settings.idle.agentLineMs);
    this.#session.start({
      text: (text) => {
        this.#session.touch();
        this.#receive(parsedMessage(text) ?? {});
      },
      binary: () => this.#session.touch(),
      // On this socket, unlike the others, pings keep the call alive.
      ping: () => this.#session.touch(),
      // No error event is documented here.
      errorEvent: ({ title }) => this.#session.close(1011, title),
    });
  }

  #receive(message: Message): void {
    const { event } = message;
    if (this.#conversation === null) {
      if (event === 'start') this.#begin(message);
      else this.#session.close(1008, 'the first message must be start');
      return;
    }
    switch (event) {
      case 'media_input': {
        const payload = isRecord(message['media']) ? message['media']['payload'] : undefined;
        if (typeof payload === 'string') this.#conversation.hear(Buffer.from(payload, 'base64'));
        break;
      }
      case 'dtmf':
        if (typeof message['dtmf'] === 'string' && DIGIT.test(message['dtmf']))
          this.#conversation.digit(message['dtmf']);
        break;
      case 'custom':
        if (isRecord(message['metadata'])) this.#send('custom', { metadata: message['metadata'] });
        break;
      default:
      // The agent ignores events that it does not know.
    }
  }

  #begin(message: Message): void {
    const config = isRecord(message['config']) ? message['config'] : {};
    const format = agentFormat(config['input_format']);
    if (format === undefined) {
      this.#session.close(1008, 'config.input_format is not valid');
      return;
    }
    const voiceId = typeof config['voice_id'] === 'string' ? config['voice_id'] : DEFAULT_VOICE_ID;
    const agent = isRecord(message['agent']) ? message['agent'] : undefined;
    this.#streamId = typeof message['stream_id'] === 'string' ? message['stream_id'] : randomUUID();
    this.#send('ack', {
      config: { input_format: config['input_format'], voice_id: voiceId },
      ...(agent === undefined ? {} : { agent }),
    });
    this.#conversation = this.#converse(format, voiceId);
    const introduction = agent?.['introduction'];
    this.#conversation.begin(
      typeof introduction === 'string' ? introduction : this.#session.world.settings.agents.introduction,
    );
  }

  #converse(format: AgentFormat, voiceId: string): AgentConversation {
    const hangUp = (reason: string | null) =>
      this.#session.close(1000, reason === null ? 'call ended by agent' : `call ended by agent, reason: ${reason}`);
    const line: AgentLine = {
      audio: (bytes) => this.#send('media_output', { media: { payload: bytes.toString('base64') } }),
      clear: () => this.#send('clear', {}),
      press: (digit) => this.#send('dtmf', { dtmf: digit }),
      transfer: (number) => this.#send('transfer_call', { transfer: { target_phone_number: number } }),
      callTool: () => null,
      hangUp,
      fail: () => this.#session.close(1011, 'agent failed'),
      // This socket does not report turns.
      turnStarted: () => {},
      turnText: () => {},
      turnEnded: () => {},
    };
    return new AgentConversation(this.#session, line, { format, voiceId, speed: 1, delivery: 'speaking_pace' });
  }

  #send(event: string, fields: object): void {
    this.#session.send({ event, stream_id: this.#streamId, ...fields });
  }
}

const DIGIT = /^[0-9*#]$/;
