// Chooses the protocol for each kind of socket.
import type { SocketKind } from '../../../upstream/endpoints.ts';
import type { SessionGuard } from '../session-guard.ts';
import type { SessionRules } from '../session-rules.ts';
import { AgentProtocol } from './agent-protocol.ts';
import { LINE } from './line-dialect.ts';
import { MANAGED } from './managed-dialect.ts';
import type { ProtocolHost, SocketProtocol } from './protocol.ts';
import { SttProtocol } from './stt-protocol.ts';
import { TtsProtocol } from './tts-protocol.ts';

/** @param recordedRate bytes per second of the audio to transcribe; `null` = not known */
export function protocolOf(
  kind: SocketKind,
  rules: SessionRules,
  session: { readonly guard: SessionGuard },
  recordedRate: number | null,
): (host: ProtocolHost) => SocketProtocol {
  switch (kind) {
    case 'tts':
      return (host) => new TtsProtocol(host, rules, session.guard);
    case 'stt':
    case 'stt_turns':
      return (host) => new SttProtocol(host, recordedRate);
    case 'agent_line':
      return (host) => new AgentProtocol(host, LINE, rules.agentOverrides);
    case 'agent_managed':
      return (host) => new AgentProtocol(host, MANAGED, rules.agentOverrides);
  }
}
