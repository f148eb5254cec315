// The limits inside sockets: a lease for the socket, one for each context, budgets that are spent as it goes, and the operator's hand.
import { BriefMap } from '../../collections/brief-map.ts';
import type { QuotaUnit } from '../../config/budget.ts';
import { Problem } from '../../errors/problems.ts';
import type { Lease, LeaseRequest } from '../../limits/lease.ts';
import type { Limits } from '../../limits/limits.ts';
import type { LeaseKind } from '../../store/lease-rules.ts';
import { recordUsage } from '../../usage/record-usage.ts';
import type { SocketUsage } from './protocol.ts';
import type { SessionFacts, SessionGuard, SessionGuards } from './session-guard.ts';

export function createLimitedSessions(limits: Limits): SessionGuards {
  return {
    async open(facts, whenGone) {
      const { leases, quotas, sessions } = limits;
      const { principal, endpoint } = facts;
      const unit = unitOf(endpoint);
      if (quotas.isLimited(unit, principal.client)) await quotas.book(unit, principal, 0);
      const kind = socketKind(endpoint);
      const asked = leases.isLimited(kind, principal.client) ? leases.ask(kind, principal, leases.waits.http) : null;
      if (asked !== null) whenGone(() => asked.cancel());
      const lease = asked === null ? null : await asked.granted;
      const left = sessions.add({ id: facts.requestId, principal, endpoint: endpoint.path, cut: facts.cut });
      return new LimitedSession(limits, facts, unit, () => {
        lease?.release();
        left();
      });
    },
  };
}

/** Speech is leased by context, and its sockets by themselves; whoever transcribes or calls holds one lease all along. */
function socketKind({ concurrency }: SessionFacts['endpoint']): LeaseKind {
  if (concurrency === 'tts') return 'tts_socket';
  return concurrency === 'stt' ? 'stt' : 'agent';
}

function unitOf({ concurrency }: SessionFacts['endpoint']): QuotaUnit {
  if (concurrency === 'tts') return 'characters';
  return concurrency === 'stt' ? 'audio_seconds' : 'call_seconds';
}

class LimitedSession implements SessionGuard {
  readonly #limits: Limits;
  readonly #facts: SessionFacts;
  readonly #unit: QuotaUnit;
  readonly #left: () => void;
  /** Of contexts, by their id. */
  readonly #asked = new BriefMap<LeaseRequest>();
  readonly #held = new BriefMap<Lease>();
  #isRecorded = false;

  constructor(limits: Limits, facts: SessionFacts, unit: QuotaUnit, left: () => void) {
    this.#limits = limits;
    this.#facts = facts;
    this.#unit = unit;
    this.#left = left;
  }

  beginContext(contextId: string): 'go' | Promise<'go' | Problem> {
    const { leases } = this.#limits;
    const { principal } = this.#facts;
    if (!leases.isLimited('tts', principal.client)) return 'go';
    const asked = leases.ask('tts', principal, leases.waits.context);
    this.#asked.set(contextId, asked);
    return this.#granted(contextId, asked);
  }

  endContext(contextId: string): void {
    this.#asked.get(contextId)?.cancel();
    this.#asked.delete(contextId);
    this.#held.get(contextId)?.release();
    this.#held.delete(contextId);
  }

  used(usage: Readonly<SocketUsage>): void {
    const { quotas, usage: records } = this.#limits;
    const { principal, endpoint, cut } = this.#facts;
    const { client, subject } = principal;
    recordUsage(records, { client, subject, endpoint }, { ...usage, requests: this.#isRecorded ? 0 : 1 });
    this.#isRecorded = true;
    const amount = amountOf(this.#unit, usage);
    if (amount <= 0 || !quotas.isLimited(this.#unit, principal.client)) return;
    void quotas.consume(this.#unit, principal, amount).then((problem) => problem !== null && cut(problem));
  }

  end(): void {
    for (const id of [...this.#asked.keys(), ...this.#held.keys()]) this.endContext(id);
    this.#left();
  }

  async #granted(contextId: string, asked: LeaseRequest): Promise<'go' | Problem> {
    try {
      const lease = await asked.granted;
      const isWanted = this.#asked.get(contextId) === asked;
      if (isWanted) this.#asked.delete(contextId);
      if (lease === null) return new Problem('concurrency_limited'); // it ended meanwhile: nobody reads this
      if (isWanted) this.#held.set(contextId, lease);
      else lease.release();
      return 'go';
    } catch (error) {
      if (this.#asked.get(contextId) === asked) this.#asked.delete(contextId);
      return error instanceof Problem ? error : new Problem('internal_error', undefined, { cause: error });
    }
  }
}

function amountOf(unit: QuotaUnit, usage: Readonly<SocketUsage>): number {
  if (unit === 'characters') return usage.characters;
  return unit === 'audio_seconds' ? usage.audioSeconds : usage.callSeconds;
}
