// What a client app's policy says about its sockets, in one object that many sockets share.
import type { ClientConfig } from '../../config/config.ts';
import type { ContentRules } from '../../policy/content.ts';

export interface SessionRules {
  readonly content: ContentRules;
  readonly maxContexts: number;
  /** Characters of all contexts together; `null` = any number. */
  readonly maxSessionCharacters: number | null;
  /** What a client may set in an agent's first message. */
  readonly agentOverrides: ReadonlySet<string>;
}

export function rulesOf({ content, sockets }: ClientConfig): SessionRules {
  return {
    content,
    maxContexts: sockets.maxContexts,
    maxSessionCharacters: sockets.maxCharacters,
    agentOverrides: new Set(content.agentOverrides),
  };
}
