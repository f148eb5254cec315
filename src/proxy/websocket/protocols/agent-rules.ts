// Checks what a client says to an agent in its first message. What is not plain transport is an override, which the operator must allow.
// Pure.
import { isJsonObject } from '../../../json/strict-json.ts';
import type { Fields } from './message-fields.ts';

/** @returns the override that is not allowed, in the configuration's terms; `null` = the message may pass */
export type OverrideCheck = (message: Fields, allowed: ReadonlySet<string>) => string | null;

/** `start` of a Line agent's socket. @see https://docs.cartesia.ai/line/integrations/websocket-api */
export const checkLineStart: OverrideCheck = (message, allowed) =>
  firstRefused(allowed, [
    ...overridesIn(message, { event: null, stream_id: null, config: null, agent: null, metadata: 'metadata' }),
    ...overridesIn(message['config'], { input_format: null, voice_id: 'voice' }),
    ...overridesIn(message['agent'], { system_prompt: 'system_prompt', introduction: 'introduction' }),
  ]);

/** `session_create` of a managed agent's socket. @see https://docs.cartesia.ai/api-reference/agents/agent-websocket */
export const checkSessionCreate: OverrideCheck = (message, allowed) =>
  firstRefused(allowed, [
    ...overridesIn(message, { type: null, audio: null, dynamic_variables: 'dynamic_variables' }),
    ...overridesIn(message['audio'], { input_format: null, output_delivery: null }),
  ]);

/** @param fields the override that each field is; `null` = none. A field that is not listed is `other` */
function overridesIn(value: unknown, fields: Readonly<Record<string, string | null>>): string[] {
  if (value === undefined || value === null) return [];
  if (!isJsonObject(value)) return ['other'];
  const overrides: string[] = [];
  for (const name of Object.keys(value)) {
    const override = Object.hasOwn(fields, name) ? fields[name] : 'other';
    if (typeof override === 'string') overrides.push(override);
  }
  return overrides;
}

function firstRefused(allowed: ReadonlySet<string>, overrides: readonly string[]): string | null {
  return overrides.find((override) => !allowed.has(override)) ?? null;
}
