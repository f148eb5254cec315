// Carries out fault rules on an HTTP exchange.

import { faultAnswer } from '../fault-answer.ts';
import { drippingResponse } from './drip.ts';
import type { Exchange } from './exchange.ts';

/**
 * Carries out the fault of an exchange, or prepares the response for it.
 * @returns whether the ordinary response is still to be sent
 */
export async function applyFault(exchange: Exchange): Promise<boolean> {
  const { fault, request } = exchange;
  if (fault === null) return true;
  switch (fault.type) {
    case 'refuse':
      exchange.endConnection('reset');
      return false;
    case 'hang':
      request.resume();
      return false;
    case 'delay':
      await exchange.delay(fault.ms);
      return true;
    case 'drip':
      exchange.useResponse(drippingResponse(request, fault));
      return true;
    case 'reset':
      exchange.cut = { afterBytes: fault.afterBodyBytes, end: 'reset' };
      return true;
    case 'half_close':
      return applyHalfClose(exchange, fault);
    case 'garbage':
      exchange.world.journal.update(exchange.entry, { outcome: 'faulted' });
      request.socket.write(typeof fault.bytes === 'string' ? Buffer.from(fault.bytes, 'latin1') : fault.bytes);
      if (fault.keepOpen) request.resume();
      else exchange.endConnection('fin');
      return false;
    case 'big_header':
      exchange.extraHeaders = { [fault.name ?? 'x-big']: 'x'.repeat(fault.bytes) };
      return true;
    case 'answer':
    case 'redirect':
      return giveAnswer(exchange);
    case 'truncate_events':
    case 'error_event':
      // Carried out where events are sent.
      return true;
    default:
      return fault satisfies never;
  }
}

function applyHalfClose(
  exchange: Exchange,
  fault: { readonly at: 'before_headers' | 'inside_headers' | 'body'; readonly afterBodyBytes?: number },
): boolean {
  if (fault.at === 'body') {
    exchange.cut = { afterBytes: fault.afterBodyBytes ?? 0, end: 'fin' };
    return true;
  }
  if (fault.at === 'inside_headers') exchange.request.socket.write('HTTP/1.1 200 OK\r\nContent-Type: appli');
  exchange.endConnection('fin');
  return false;
}

async function giveAnswer(exchange: Exchange): Promise<boolean> {
  const { fault, request, requestId, version } = exchange;
  const answer = fault && faultAnswer(fault, { headers: request.headers, structured: version.structured, requestId });
  if (answer === null) return true;
  await exchange.send(answer.status, answer.body, answer.headers);
  return false;
}
