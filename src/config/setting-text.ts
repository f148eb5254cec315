// Parses a setting that is written as one text: in a variable, or as the content of a secret's file.
import type { SettingNode } from './schema-nodes.ts';

/**
 * The value that the configuration file would hold for this text. What does not parse stays text, so that the check against the
 * schema says what was expected instead: `yes` is not taken for true, nor `0x50` for 80.
 */
export function parseText(node: SettingNode, text: string): unknown {
  if ('items' in node) return splitList(text);
  if ('anyOf' in node) {
    const items = splitList(text);
    return items.length === 1 ? items[0] : items;
  }
  if (node.type === 'boolean' && /^(?:true|false)$/.test(text)) return text === 'true';
  if (node.type === 'integer' && /^(?:0|[1-9][0-9]{0,14})$/.test(text)) return Number(text);
  return text;
}

/** Items separated by commas, in a secret's file also by line breaks. Spaces around them are ignored; an empty item is kept, to be refused. */
export function splitList(text: string): string[] {
  return text.split(/[,\n]/).map((item) => item.trim());
}
