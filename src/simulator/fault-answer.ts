// Makes the responses that fault rules give in place of the ordinary one.

import type { IncomingHttpHeaders } from 'node:http';
import type { AnswerFault, FaultAction } from './faults.ts';
import { httpErrorBody, type Problem } from './problems.ts';

export interface FaultAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body: string;
}

/** The response of an `answer` or `redirect` fault, or null for any other. */
export function faultAnswer(
  fault: FaultAction,
  request: { readonly headers: IncomingHttpHeaders; readonly structured: boolean; readonly requestId: string },
): FaultAnswer | null {
  if (fault.type === 'redirect')
    return { status: fault.status ?? 307, headers: { location: fault.location }, body: '' };
  if (fault.type !== 'answer') return null;
  const credential = fault.echoAuthorization ? credentialIn(request.headers) : null;
  const { contentType, body } = content(fault, request, credential);
  return {
    status: fault.status,
    headers: {
      'content-type': fault.contentType ?? contentType,
      ...(fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }),
      ...(credential === null ? {} : { 'x-echo-authorization': credential }),
      ...fault.headers,
    },
    body,
  };
}

function content(
  fault: AnswerFault,
  form: { readonly structured: boolean; readonly requestId: string },
  credential: string | null,
): { readonly contentType: string; readonly body: string } {
  const echo = credential === null ? '' : ` ${credential}`;
  const title = fault.title ?? 'Simulated error';
  if (fault.body !== undefined) return { contentType: 'application/json', body: fault.body };
  if (fault.html) {
    const page = `<html><head><title>${fault.status} ${title}</title></head><body><h1>${fault.status} ${title}</h1>${echo}</body></html>`;
    return { contentType: 'text/html', body: page };
  }
  const problem: Problem = {
    status: fault.status,
    errorCode: fault.code ?? null,
    title,
    message: `${fault.message ?? 'This answer was asked for by a fault rule.'}${echo}`,
  };
  const answer = httpErrorBody(problem, form);
  if (!form.structured || fault.fields === undefined) return answer;
  const fields = Object.entries({ ...(JSON.parse(answer.body) as object), ...fault.fields });
  return { ...answer, body: JSON.stringify(Object.fromEntries(fields.filter(([, value]) => value !== undefined))) };
}

function credentialIn(headers: IncomingHttpHeaders): string {
  const key = headers['x-api-key'];
  return headers.authorization ?? (Array.isArray(key) ? key[0] : key) ?? '';
}
