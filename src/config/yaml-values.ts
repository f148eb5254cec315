// Parses YAML, of which JSON is a part, to plain values with line and column of each; no message quotes the file.
import type { Document, ErrorCode, Node } from 'yaml';
import { emptyTree, type SettingPath, type Tree } from './report.ts';

/** From 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface YamlTrouble {
  readonly at: Position;
  /** Our own words: the parser's may quote the file, which may hold a secret. */
  readonly message: string;
}

export interface YamlValues {
  /** Mappings have no prototype. An empty document is an empty mapping. */
  readonly value: unknown;
  /** Of everything below the top, by name or position; for named values, the position of the name. */
  readonly positions: readonly (readonly [SettingPath, Position])[];
}

const MAX_DEPTH = 20;
/** Aliases can make a small file huge. */
const MAX_VALUES = 20_000;

/** The values of one document, or why there are none. Types are those of YAML's core schema: `yes` is a text. */
export async function parseYaml(source: string): Promise<YamlValues | { readonly troubles: readonly YamlTrouble[] }> {
  // Loaded here and not at start: it takes 15 ms that a broker without a file need not wait for.
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(source, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };

  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return {
      troubles: faults.map(({ pos, code }) => ({ at: positionOf(pos[0]), message: TROUBLES[code] ?? NO_YAML })),
    };
  }
  const walk = new Walk(yaml, document);
  const value = walk.valueOf(document.contents, [], 0) ?? emptyTree();
  if (walk.refusedAt !== undefined) return { troubles: [{ at: positionOf(walk.refusedAt), message: REFUSED }] };
  return { value, positions: walk.offsets.map(([path, offset]) => [path, positionOf(offset)] as const) };
}

const NO_YAML = 'is not valid YAML here (the line is not shown: it may hold a secret)';
const REFUSED = 'an alias without its anchor, values nested too deeply, or too many values';

/** Messages for common mistakes. */
const TROUBLES: { readonly [code in ErrorCode]?: string } = {
  BAD_DQ_ESCAPE: 'an unknown backslash sequence in a double-quoted string',
  BAD_INDENT: 'the indentation does not fit that of the lines around it, or a bracket before it is not closed',
  BAD_SCALAR_START: 'a string that begins with this character needs quotes',
  DUPLICATE_KEY: 'the same name occurs twice',
  MISSING_CHAR: 'something is missing here: a colon, a space after one, a quote or a bracket',
  MULTIPLE_DOCS: 'expected one document, without further ---',
  NON_STRING_KEY: 'a name must be a string',
  TAB_AS_INDENT: 'indent with spaces, not with tabs',
  TAG_RESOLVE_FAILED: 'tags (words that begin with !) are not supported',
};

/** One walk through a document, from its nodes to plain values. */
class Walk {
  readonly offsets: (readonly [SettingPath, number])[] = [];
  /** Offset of the first value that had to be refused. */
  refusedAt: number | undefined;
  #values = 0;
  readonly #yaml: typeof import('yaml');
  readonly #document: Document.Parsed;

  constructor(yaml: typeof import('yaml'), document: Document.Parsed) {
    this.#yaml = yaml;
    this.#document = document;
  }

  /** @param offset of the value or its name, in case it has to be refused */
  valueOf(node: unknown, path: SettingPath, offset: number): unknown {
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    this.#values += 1;
    if (path.length > MAX_DEPTH || this.#values > MAX_VALUES) return this.#refuse(offset);
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      return target === undefined ? this.#refuse(offset) : this.valueOf(target, path, offset);
    }
    if (isScalar(node)) return node.value;
    if (isSeq<Node>(node)) {
      return node.items.map((item, position) => this.#member(item, item, [...path, position], offset));
    }
    if (!isMap<Node, Node | null>(node)) return null;
    const tree: Tree = emptyTree();
    for (const { key, value } of node.items) {
      const name = String(isScalar(key) ? key.value : key);
      tree[name] = this.#member(key, value, [...path, name], offset);
    }
    return tree;
  }

  #member(marked: Node, value: Node | null, path: SettingPath, offsetAbove: number): unknown {
    const offset = marked.range?.[0] ?? offsetAbove;
    this.offsets.push([path, offset]);
    return this.valueOf(value, path, offset);
  }

  #refuse(offset: number): undefined {
    this.refusedAt ??= offset;
  }
}
