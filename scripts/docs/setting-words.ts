// Describes settings in words for readers.
import type { Setting } from '../../src/config/setting-index.ts';

/** The default as a variable would hold it; `''` if there is none. */
export function presetText({ node }: Setting): string {
  if (!('default' in node) || node.default === undefined) return '';
  return Array.isArray(node.default) ? node.default.join(',') : String(node.default);
}

/** The description for readers of the configuration file, with its unit. */
export function sentence({ node }: Setting): string {
  const unit = node['x-unit'];
  return unit === undefined ? node.description : `${node.description} In ${unit}.`;
}

/** The description for readers of the environment variables. */
export function variableSentence(setting: Setting): string {
  return setting.node['x-env-description'] ?? sentence(setting);
}

/** The default of the variable; `''` if there is none, or if the variable means more than the setting. */
export function variablePresetText(setting: Setting): string {
  return setting.node['x-env-description'] === undefined ? presetText(setting) : '';
}
