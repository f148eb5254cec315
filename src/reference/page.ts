// The contract as a page for people.
import { html } from './html.ts';
import type { OpenApiDocument } from './openapi-document.ts';

/** A whole HTML document: no script, nothing loaded from anywhere. */
export function referencePage({ info }: OpenApiDocument): string {
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${info.title}</title></head><body><h1>${info.title}</h1></body></html>`
    .text;
}
