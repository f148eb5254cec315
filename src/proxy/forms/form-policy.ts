// Checks the fields of a transcription form against the content rules, while the form passes.
import { Problem } from '../../errors/problems.ts';
import { type ContentRules, checkContent } from '../../policy/content.ts';
import type { FormWatch } from '../upload.ts';
import type { Form } from './form-parser.ts';

/** Whether any rule concerns transcription at all; if none does, a form's fields are not looked at. */
export function restrictsForms(rules: ContentRules): boolean {
  return rules.models !== null || rules.languages !== null;
}

/**
 * Many servers read the fields of a form and the parameters of the query as one, some with the query first (Go's `FormValue`).
 * @throws Problem `invalid_request` if the query names a field that a rule applies to
 */
export function checkFormQuery(query: URLSearchParams): void {
  for (const written of query.keys()) {
    const name = governed(written);
    if (name !== null) throw new Problem('invalid_request', `Send "${name}" as a field of the form, not in the query.`);
  }
}

/** The returned watch must come after `form`. @throws Problem if the form cannot be read */
export function watchForm(form: Form, rules: ContentRules): FormWatch {
  const { parser } = form;
  const found = new Map<string, string>();
  let problem: Problem | null = null;
  const refuse = (message: string): void => {
    problem ??= new Problem('invalid_request', message);
  };
  parser?.on('field', (written, value, nameTruncated, valueTruncated) => {
    const name = governed(written);
    if (name === null) return;
    if (name !== written || nameTruncated || valueTruncated || found.has(name))
      return refuse(`The form field "${name}" must be given only once, with exactly this name, and not too long.`);
    found.set(name, value);
  });
  parser?.on('file', (written) => {
    const name = governed(written);
    if (name !== null) refuse(`The form field "${name}" must not be a file.`);
  });
  parser?.on('fieldsLimit', () => refuse('The form has too many fields.'));

  const check = (isWhole: boolean): void => {
    problem ??= form.problem;
    if (problem !== null) throw problem;
    const model = found.get('model') ?? null;
    if (model === null && !isWhole) return; // it may still come
    const wish = {
      model,
      language: found.get('language') ?? null,
      voice: null,
      container: null,
      encoding: null,
      transcript: null,
    };
    const verdict = checkContent(wish, rules);
    if (verdict.outcome === 'denied') throw new Problem('content_not_allowed', verdict.message);
  };
  check(false);
  return {
    write: () => check(false),
    async end() {
      check(true);
    },
  };
}

/** The field that a part or parameter is, or that a lenient reader could take it for; `null` if no rule applies to it. */
function governed(name: string | undefined): 'model' | 'language' | null {
  const meant = (name ?? '').trim().toLowerCase().replace(/\[\]$/, '');
  return meant === 'model' || meant === 'language' ? meant : null;
}
