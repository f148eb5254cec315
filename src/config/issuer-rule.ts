// Checks issuers whose keys are discovered at the issuer itself.
import { isTree, type Report, type Tree } from './report.ts';
import { wrongText } from './text-kinds.ts';

/**
 * Discovery starts at the issuer; with `jwks_url` it is only a name that tokens carry (RFC 7519 §4.1.1: any text will do).
 * Looks at entries as they are written, so that one that cannot be used for another reason is checked in the same run.
 */
export function checkIssuers(tree: Tree, report: Report): void {
  for (const [name, client] of membersOf(tree['clients'])) {
    const entries = isTree(client) && isTree(client['auth']) ? client['auth']['jwt'] : undefined;
    if (!Array.isArray(entries)) continue;
    for (const [position, entry] of entries.entries()) {
      if (!isTree(entry) || 'jwks_url' in entry) continue;
      const at = ['clients', name, 'auth', 'jwt', position, 'issuer'];
      const { issuer } = entry;
      const wrong = typeof issuer === 'string' && !report.isBroken(at) ? wrongText('identity_url', issuer) : undefined;
      if (wrong !== undefined) report.add(at, wrong);
    }
  }
}

function membersOf(value: unknown): readonly (readonly [string, unknown])[] {
  return isTree(value) ? Object.entries(value) : [];
}
