// Checks an upgrade before upstream or the limits are asked: endpoint, handshake, target, version, policy, and the single-use token, which
// it spends.
import type { FastifyRequest } from 'fastify';
import { type Admission, admitted } from '../../../admission/admitted.ts';
import type { ClientConfig, Config } from '../../../config/config.ts';
import { Problem } from '../../../errors/problems.ts';
import { singleUseOf } from '../../../identity/single-use.ts';
import { queryOf } from '../../../listener/request-target.ts';
import { type Upgrade, upgradeOf } from '../../../listener/upgrade.ts';
import { checkContent } from '../../../policy/content.ts';
import { checkEndpoint } from '../../../policy/endpoint.ts';
import type { SocketEndpoint } from '../../../upstream/endpoints.ts';
import { onlyParameter } from '../../only-parameter.ts';
import { recordedBytesPerSecond } from '../../recorded-audio.ts';
import { type Target, targetOf } from '../../target.ts';
import type { SpentTokens } from '../spent-tokens.ts';
import { checkHandshake } from './handshake.ts';

export interface CheckUpgradeOptions {
  readonly upstream: Pick<Config['upstream'], 'version' | 'versionPolicy'>;
  /** Budgets of all client apps together. */
  readonly quota: Pick<Config['limits']['quota'], 'audio_seconds'>;
  readonly spentTokens: SpentTokens;
}

/** An upgrade that has passed the checks and may be carried. */
export interface CheckedUpgrade extends Target {
  readonly endpoint: SocketEndpoint;
  readonly admission: Admission;
  readonly upgrade: Upgrade;
  /** The value of Sec-WebSocket-Accept. */
  readonly accept: string;
  /** Bytes per second of the audio to transcribe; `null` = the query does not determine it. */
  readonly recordedRate: number | null;
}

/** Its last check spends the credential if that is single-use. @throws Problem */
export async function checkUpgrade(
  endpoint: SocketEndpoint,
  request: FastifyRequest,
  { upstream, quota, spentTokens }: CheckUpgradeOptions,
): Promise<CheckedUpgrade> {
  const admission = admitted(request);
  const { client, principal } = admission;
  const verdict = checkEndpoint(endpoint, client, principal.grants);
  if (verdict.outcome === 'denied') throw new Problem('endpoint_not_allowed', verdict.message);
  const accept = checkHandshake(request.raw);
  const upgrade = request.raw[upgradeOf];
  if (upgrade === undefined) throw new Problem('invalid_request', 'This path is a WebSocket.');

  const { target, version } = targetOf(endpoint, request, upstream);
  const query = new URLSearchParams(queryOf(target));
  checkPolicy(endpoint, client, request.params as { readonly id?: string }, query); // the table knows no other parameter
  const recordedRate = endpoint.grant === 'stt' ? recordedBytesPerSecond(query, isAudioBudgeted(client, quota)) : null;

  // Last, so that a refusal for another reason does not cost the caller its token. A later refusal may give it back.
  const singleUse = singleUseOf(principal);
  if (singleUse !== null && !(await spentTokens.spend(singleUse, request.id))) {
    request.record.reason = 'single_use_spent';
    throw new Problem('unauthenticated');
  }
  return { endpoint, admission, upgrade, accept, target, version, recordedRate };
}

/** Checks what the target alone tells; messages are checked as they arrive. */
function checkPolicy(
  endpoint: SocketEndpoint,
  client: ClientConfig,
  { id }: { readonly id?: string },
  query: URLSearchParams,
): void {
  const { content } = client;
  if (endpoint.grant === 'agent') {
    if (content.agents !== null && (id === undefined || !content.agents.includes(id))) {
      throw new Problem('content_not_allowed', 'This caller may not use this agent.');
    }
    return;
  }
  if (endpoint.grant !== 'stt') return;
  const verdict = checkContent(
    {
      model: onlyParameter(query, 'model'),
      voice: null,
      language: onlyParameter(query, 'language'),
      container: null,
      encoding: null,
      transcript: null,
    },
    content,
  );
  if (verdict.outcome === 'denied') throw new Problem('content_not_allowed', verdict.message);
}

function isAudioBudgeted({ limits }: ClientConfig, account: CheckUpgradeOptions['quota']): boolean {
  const { subject, client } = limits.quota.audio_seconds;
  return subject !== null || client !== null || account.audio_seconds !== null;
}
