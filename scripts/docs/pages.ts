// The list of pages that are made from code, each by a small generator. `npm run docs` writes them, a test compares them.
import { configSchema } from './config-schema.ts';
import { configurationPage } from './configuration-page.ts';
import { endpointsPage } from './endpoints.ts';
import { envExample } from './env-example.ts';
import { errorsPage } from './errors.ts';
import { openApiFile } from './openapi.ts';

export interface Page {
  /** Relative to the root of the repository. */
  readonly path: string;
  /** Returns the whole text with a final line break; the same code always gives the same text. */
  readonly generate: () => string | Promise<string>;
}

export const PAGES: readonly Page[] = [
  { path: 'docs/configuration.md', generate: configurationPage },
  { path: 'config.schema.json', generate: configSchema },
  { path: '.env.example', generate: envExample },
  { path: 'docs/errors.md', generate: errorsPage },
  { path: 'docs/endpoints.md', generate: endpointsPage },
  { path: 'docs/openapi.json', generate: openApiFile },
];
