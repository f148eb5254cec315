// Why an open socket ends, and what that means: for the client, for upstream, and in the record. Pure.
import { Problem } from '../../errors/problems.ts';
import { UpstreamFailure } from '../../upstream/upstream-failure.ts';
import { CLOSE, type Closing, passedClosing } from './frames/close-code.ts';
import { VIOLATION } from './frames/frame-header.ts';
import type { Occasion } from './protocols/protocol.ts';

/** How a socket ended. */
export interface RelayEnd {
  readonly by: 'client' | 'upstream' | 'broker';
  /** The code of the close frame to or from the client; 1005 = a frame without a code, 1006 = no frame. */
  readonly code: number;
  /**
   * `ok`, `idle`, `aborted` (the client has left without a close frame, or takes nothing), `dead_peer`, or the code of a problem. If Cartesia
   * closed it: `ok` for 1000 or no code, `upstream_rejected` for 1008, `upstream_unavailable` for every other code.
   */
  readonly outcome: string;
}

export interface Ending extends Pick<RelayEnd, 'by' | 'outcome'> {
  /** The close frame for the client; `null` = there is no client left to tell. */
  readonly toClient: Closing | null;
  readonly toUpstream: Closing;
  /** What the error messages before the client's close frame say; `null` = none, as the client ends it itself or nothing is going on. */
  readonly problem: Problem | null;
  /** Default: `other`. */
  readonly occasion?: Occasion;
}

const GOING_AWAY: Closing = { code: CLOSE.goingAway, reason: '' };

/** Reasons for close frames, by the code of the broken rule. */
const VIOLATION_REASONS: Readonly<Record<number, string>> = {
  [VIOLATION.protocol]: 'protocol error',
  [VIOLATION.notUtf8]: 'not UTF-8',
  [VIOLATION.policy]: 'too many fragments',
  [VIOLATION.tooBig]: 'message too big',
};

/** The socket was idle for too long. The reason is Cartesia's own wording. */
export const IDLE: Ending = {
  toClient: { code: CLOSE.normal, reason: 'connection idle timeout' },
  toUpstream: { code: CLOSE.normal, reason: '' },
  problem: null,
  by: 'broker',
  outcome: 'idle',
};

/**
 * The broker ends the socket. The problem's code, which programs read, fits into the close frame; its message is sent before, in an error
 * message if the protocol has one.
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

/** The client has left without a close frame, or takes nothing. @param by who ended it */
export function goneClient(by: RelayEnd['by'], outcome: 'aborted' | 'dead_peer'): Ending {
  return { toClient: null, toUpstream: GOING_AWAY, problem: null, by, outcome };
}

/** Upstream has gone or no longer reacts. @param reason for the close frame, in our own words */
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

/** For a close frame from upstream: only a normal code, or none, counts as `ok`. */
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
      ? new Problem('payload_too_large', 'The message is larger than this socket accepts.')
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
