// What a client app's policy says about its sockets, in one object that many sockets share.
import type { ContentRules } from '../../policy/content.ts';

export interface SessionRules {
  readonly content: ContentRules;
  readonly maxContexts: number;
  /** Characters of all contexts together; `null` = any number. */
  readonly maxSessionCharacters: number | null;
  /** What a client may set in an agent's first message. */
  readonly agentOverrides: ReadonlySet<string>;
}
