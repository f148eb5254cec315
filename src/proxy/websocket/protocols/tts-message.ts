// Reads what a client's message on the speech socket asks for, as far as that can be told without earlier messages. Pure.
import { Problem } from '../../../errors/problems.ts';
import { type ContentRules, checkContent } from '../../../policy/content.ts';
import { bytesPerSecond, countCharacters } from '../../../usage/units.ts';
import { type GenerationRequest, readGeneration } from '../../generation.ts';
import { type Fields, plainText, readFields } from './message-fields.ts';

export type TtsMessage =
  | {
      readonly kind: 'generation';
      /** Id of its context; empty = it names none. */
      readonly id: string;
      /** Code points of its transcript. */
      readonly characters: number;
      /** Rate of the audio that it asks for; 0 = not known. */
      readonly bytesPerSecond: number;
    }
  | { readonly kind: 'cancel'; readonly id: string }
  | {
      readonly kind: 'refused';
      /** Id of the context that it names; `null` if that cannot be told. */
      readonly id: string | null;
      readonly problem: Problem;
    };

const KNOWN: ReadonlySet<string> = new Set([
  'model_id',
  'transcript',
  'voice',
  'id',
  'output_format',
  'container',
  'encoding',
  'sample_rate',
  'context_id',
  'continue',
  'cancel',
  'flush',
  'language',
  'locale',
]);

/** Whatever cannot be read is `refused`. */
export function readTtsMessage(payload: Buffer, content: ContentRules): TtsMessage {
  let fields: Fields;
  try {
    fields = readFields(payload, KNOWN);
  } catch (error) {
    return refused(problemIn(error), plainText(payload, 'context_id'));
  }
  const id = fields['context_id'] ?? '';
  // Upstream may take 5 and 6 for two contexts; here they would be one without an id.
  if (typeof id !== 'string') return refused(invalid('context_id'), null);
  const cancel = fields['cancel'];
  if (cancel !== undefined && typeof cancel !== 'boolean' && cancel !== null) return refused(invalid('cancel'), id);
  if (cancel === true) {
    // The rest of a cancel is not checked, so it must not contain anything else.
    const isBare = Object.keys(fields).every((name) => name === 'cancel' || name === 'context_id');
    return isBare
      ? { kind: 'cancel', id }
      : refused(new Problem('invalid_request', 'A cancel may have no field besides cancel and context_id.'), id);
  }
  let generation: GenerationRequest;
  try {
    generation = readGeneration(fields);
  } catch (error) {
    return refused(problemIn(error), id);
  }
  const { wish, format } = generation;
  const verdict = checkContent(wish, content);
  if (verdict.outcome === 'denied') return refused(new Problem('content_not_allowed', verdict.message), id);
  return {
    kind: 'generation',
    id,
    characters: countCharacters(wish.transcript ?? ''),
    bytesPerSecond: bytesPerSecond(format) ?? 0,
  };
}

function refused(problem: Problem, id: string | null): TtsMessage {
  return { kind: 'refused', id, problem };
}

/** @throws what was thrown, if it is a fault of ours: a client reads problems only */
function problemIn(error: unknown): Problem {
  if (error instanceof Problem) return error;
  throw error;
}

function invalid(field: string): Problem {
  return new Problem('invalid_request', `The field "${field}" has the wrong type.`);
}
