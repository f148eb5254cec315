// Applies the limits to sockets: a lease for the socket, one for each context, budgets spent as it goes, and cuts by the operator.
import { BriefMap } from '../../collections/brief-map.ts';
import type { QuotaUnit } from '../../config/budget.ts';
import { Problem } from '../../errors/problems.ts';
import type { Lease, LeaseRequest } from '../../limits/lease.ts';
import type { Limits } from '../../limits/limits.ts';
import type { LeaseKind } from '../../store/lease-rules.ts';
import { recordUsage } from '../../usage/record-usage.ts';
import type { SocketUsage } from './protocols/protocol.ts';
import type { SessionFacts, SessionGuard, SessionGuards } from './session-guard.ts';

export function createLimitedSessions(limits: Limits): SessionGuards {
  return {
    async open(facts, whenGone) {
      const { leases, quotas, revocations, sessions } = limits;
      const { principal, endpoint } = facts;
      const unit = unitOf(endpoint);
      if (quotas.isLimited(unit, principal.client)) await quotas.book(unit, principal, 0);
      const kind = socketKind(endpoint);
      const asked = leases.isLimited(kind, principal.client) ? leases.ask(kind, principal, leases.waits.http) : null;
      if (asked !== null) whenGone(() => asked.cancel());
      const lease = asked === null ? null : await asked.granted;
      try {
        revocations.checkAgain(principal);
      } catch (error) {
        lease?.release();
        throw error;
      }
      const left = sessions.add({ id: facts.requestId, principal, endpoint: endpoint.path, cut: facts.cut });
      return new LimitedSession(limits, facts, { unit, lease, left });
    },
  };
}

/** A speech socket has a lease of its own kind besides those of its contexts; a transcription or call holds one lease throughout. */
function socketKind({ concurrency }: SessionFacts['endpoint']): LeaseKind {
  if (concurrency === 'tts') return 'tts_socket';
  return concurrency === 'stt' ? 'stt' : 'agent';
}

function unitOf({ concurrency }: SessionFacts['endpoint']): QuotaUnit {
  if (concurrency === 'tts') return 'characters';
  return concurrency === 'stt' ? 'audio_seconds' : 'call_seconds';
}

/** What the socket itself holds, besides the leases of its contexts. */
interface HeldLimits {
  readonly unit: QuotaUnit;
  /** `null`: no concurrency limit applies. */
  readonly lease: Lease | null;
  /** Removes it from the list of open sessions. */
  readonly left: () => void;
}

class LimitedSession implements SessionGuard {
  readonly #limits: Limits;
  readonly #facts: SessionFacts;
  readonly #heldBySocket: HeldLimits;
  /** Lease requests and leases of contexts, by context id. */
  readonly #asked = new BriefMap<LeaseRequest>();
  readonly #held = new BriefMap<Lease>();
  #isRecorded = false;

  constructor(limits: Limits, facts: SessionFacts, held: HeldLimits) {
    this.#limits = limits;
    this.#facts = facts;
    this.#heldBySocket = held;
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

  contextRefused(contextId: string): void {
    this.#held.get(contextId)?.refusedUpstream();
  }

  refused(): void {
    this.#heldBySocket.lease?.refusedUpstream();
  }

  used(usage: Readonly<SocketUsage>): void {
    const { quotas, usage: records } = this.#limits;
    const { principal, endpoint, cut } = this.#facts;
    const { unit } = this.#heldBySocket;
    const { client, subject } = principal;
    recordUsage(records, { client, subject, endpoint }, { ...usage, requests: this.#isRecorded ? 0 : 1 });
    this.#isRecorded = true;
    const amount = amountOf(unit, usage);
    if (amount <= 0 || !quotas.isLimited(unit, principal.client)) return;
    void quotas.consume(unit, principal, amount).then((problem) => problem !== null && cut(problem));
  }

  end(isOverUpstream: boolean): void {
    const { lease, left } = this.#heldBySocket;
    for (const id of this.#asked.keys()) this.endContext(id);
    for (const one of [...this.#held.values(), ...(lease === null ? [] : [lease])]) {
      if (isOverUpstream) one.release();
      else one.releaseLater();
    }
    for (const id of this.#held.keys()) this.#held.delete(id);
    left();
  }

  async #granted(contextId: string, asked: LeaseRequest): Promise<'go' | Problem> {
    try {
      const lease = await asked.granted;
      // The context ended in the meantime, and any lease granted is given back; nobody reads this result.
      if (lease === null || this.#asked.get(contextId) !== asked) return new Problem('concurrency_limited');
      this.#asked.delete(contextId);
      this.#held.set(contextId, lease);
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
