// Why an open socket ends, and what that means: for the client, for upstream, and in the record. Pure.
import { Problem } from '../../errors/problems.ts';
import { UpstreamFailure } from '../../upstream/upstream-failure.ts';
import { CLOSE, type Closing, passedClosing } from './frames/close-code.ts';
import { VIOLATION } from './frames/frame-header.ts';
import type { Occasion } from './protocols/protocol.ts';

/** How a socket ended. */
export interface RelayEnd {
  readonly by: 'client' | 'upstream' | 'broker';
  /** What the client was told, or has said; 1006 where nothing was said. */
  readonly code: number;
  /**
   * `ok`, `idle`, `aborted` (the client has gone without a word, or takes nothing), `dead_peer`, or the code of a problem; where Cartesia
   * closed it, `upstream_rejected` for 1008 and `upstream_unavailable` for every other code but 1000.
   */
  readonly outcome: string;
}

export interface Ending extends Pick<RelayEnd, 'by' | 'outcome'> {
  /** Its close frame; `null` = there is nobody left to be told. */
  readonly toClient: Closing | null;
  readonly toUpstream: Closing;
  /** What the errors say that go before the client's; `null` = it ends it itself, or nothing is going on. */
  readonly problem: Problem | null;
  /** `other` where it says nothing. */
  readonly occasion?: Occasion;
}

const GOING_AWAY: Closing = { code: CLOSE.goingAway, reason: '' };

/** What the reason of a close frame says, by the code of the rule that was broken. */
const VIOLATION_REASONS: Readonly<Record<number, string>> = {
  [VIOLATION.protocol]: 'protocol error',
  [VIOLATION.notUtf8]: 'not UTF-8',
  [VIOLATION.policy]: 'too many fragments',
  [VIOLATION.tooBig]: 'message too big',
};

/** Nothing was said for too long: Cartesia's own words. */
export const IDLE: Ending = {
  toClient: { code: CLOSE.normal, reason: 'connection idle timeout' },
  toUpstream: { code: CLOSE.normal, reason: '' },
  problem: null,
  by: 'broker',
  outcome: 'idle',
};

/**
 * By us. The code of the problem, which programs read, fits into a close frame; the sentence goes out before it, where there is a place
 * for it.
 */
export function cutOff(problem: Problem, code: number): Ending {
  return {
    toClient: { code, reason: problem.errorCode ?? problem.code },
    toUpstream: GOING_AWAY,
    problem,
    by: 'broker',
    outcome: problem.code,
  };
}

/** Without a word, or it takes none. @param by who ended it */
export function goneClient(by: RelayEnd['by'], outcome: 'aborted' | 'dead_peer'): Ending {
  return { toClient: null, toUpstream: GOING_AWAY, problem: null, by, outcome };
}

/** Upstream has gone, or does nothing any more. @param reason ours, for the close frame */
export function lostUpstream(code: 'upstream_unavailable' | 'upstream_timeout', reason: string): Ending {
  return {
    toClient: { code: CLOSE.internal, reason },
    toUpstream: GOING_AWAY,
    problem: new Problem(code),
    by: 'upstream',
    outcome: code,
  };
}

export function closedByUpstream(closing: Closing, isRevealing: (text: string) => boolean): Ending {
  const { code, reason } = passedClosing(closing);
  return {
    toClient: { code, reason: isRevealing(reason) ? '' : reason },
    toUpstream: { code: closing.code, reason: '' },
    problem: new Problem('upstream_unavailable', 'Cartesia closed the connection.'),
    occasion: 'said_by_upstream',
    by: 'upstream',
    outcome: outcomeOf(closing.code),
  };
}

/** Of a close frame of upstream's: only an end that it calls normal, or none at all, is one. */
function outcomeOf(code: number | null): string {
  if (code === null || code === CLOSE.normal) return 'ok';
  return code === CLOSE.policy ? 'upstream_rejected' : 'upstream_unavailable';
}

export function closedByClient(closing: Closing): Ending {
  return { toClient: closing, toUpstream: passedClosing(closing), problem: null, by: 'client', outcome: 'ok' };
}

/** @param code of the rule that upstream broke */
export function brokenByUpstream(code: number): Ending {
  const cause = new UpstreamFailure('malformed', `frame ${code}`);
  return {
    toClient: { code: CLOSE.internal, reason: 'upstream broke the protocol' },
    toUpstream: { code, reason: '' },
    problem: new Problem('upstream_unavailable', undefined, { cause }),
    by: 'upstream',
    outcome: 'upstream_unavailable',
  };
}

/** @param code of the rule that the client broke */
export function brokenByClient(code: number): Ending {
  const reason = VIOLATION_REASONS[code] ?? '';
  const problem =
    code === VIOLATION.tooBig
      ? new Problem('payload_too_large', 'The message is larger than this socket takes.')
      : new Problem('invalid_request', `The client broke the WebSocket protocol: ${reason}.`);
  return {
    toClient: { code, reason },
    toUpstream: GOING_AWAY,
    problem,
    occasion: 'unread_message',
    by: 'broker',
    outcome: problem.code,
  };
}
