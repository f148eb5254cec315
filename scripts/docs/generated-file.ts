// What `npm run docs` writes and the tests hold in step with its source.

export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string;
  /** The whole file, ending in a line break. */
  readonly make: () => string | Promise<string>;
}
