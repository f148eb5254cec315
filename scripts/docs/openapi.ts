// docs/openapi.json: the contract, made from the routes of the real application.
import { readFile } from 'node:fs/promises';
import type { OpenApiDocument } from '../../src/reference/openapi-document.ts';
import { routePaths } from './openapi/app-document.ts';
import { describe } from './openapi/describe.ts';
import { ENDPOINT_NOTES } from './openapi/endpoint-notes.ts';
import { introduction } from './openapi/introduction.ts';

export async function openApiFile(): Promise<string> {
  return `${JSON.stringify(await openApiDocument(), null, 2)}\n`;
}

async function openApiDocument(): Promise<OpenApiDocument> {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  return describe(await routePaths(), ENDPOINT_NOTES, introduction(version));
}
