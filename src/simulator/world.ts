// The state that all parts of the simulator share.

import { AccessTokens } from './access-tokens.ts';
import { AgentSessions } from './agent-sessions.ts';
import { Clock } from './clock.ts';
import { Concurrency } from './concurrency.ts';
import { Credits } from './credits.ts';
import { Faults } from './faults.ts';
import { Journal } from './journal.ts';
import type { Settings } from './settings.ts';

/**
 * One simulated Cartesia account. HTTP routes reach it as `exchange.world`, sockets as `session.world`:
 *
 * - `settings`: read at the moment of use, never copied, so that a change takes effect at once.
 * - `clock`: `now()` for anything a client can observe; `after(ms, run)` for idle times, so that
 *   `clock.advance(300_000)` makes them happen.
 * - `tokens`: signs and checks access tokens; callers normally use `authenticate()` of credentials.ts.
 * - `agentSessions.find(token, agentId, now)`: the session of a managed agent's session token, which works once: then `use(token)`.
 * - `concurrency.take(kind)`: a slot or null (then the problem is `concurrency_limited`). Release it BEFORE the last
 *   byte or event is written, so that a client that saw the end can begin the next one at once.
 * - `credits.spend(n)`: false if the balance does not cover it (then the problem is `quota_exceeded`).
 * - `journal`: what was received. HTTP entries are kept by `Exchange`, sockets use `openUpgrade()` and
 *   `journal.frame(entry, …)`.
 * - `faults`: taken by the front door, `Exchange` and `openUpgrade()`; sockets only have to carry out the faults
 *   named `…_socket` and `error_event`.
 *
 * Errors: `problem(world.settings, name)` of problems.ts, reported through `httpErrorBody`, `ttsErrorEvent` or
 * `sttErrorEvent`; `resolveVersion()` of version.ts decides between the structured and the older form.
 */
export interface World {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly tokens: AccessTokens;
  readonly agentSessions: AgentSessions;
  readonly concurrency: Concurrency;
  readonly credits: Credits;
  readonly journal: Journal;
  readonly faults: Faults;
}

/** @param now epoch milliseconds, the source of the simulated clock */
export function createWorld(settings: Settings, now: () => number = Date.now): World {
  return {
    settings,
    clock: new Clock(now),
    tokens: new AccessTokens(),
    agentSessions: new AgentSessions(),
    concurrency: new Concurrency(() => settings.limits),
    credits: new Credits(settings),
    journal: new Journal(() => settings.journal),
    faults: new Faults(),
  };
}
