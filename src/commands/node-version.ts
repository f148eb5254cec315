// Which Node the commands run on: an older one lacks what the libraries reach for, and says so in their words.

/** As `engines` of package.json has it. */
const OLDEST: readonly [major: number, minor: number] = [22, 19];

/** @param version such as `24.21.0` @returns what to tell who starts a command on it; `null` = it will do */
export function complaintAboutNode(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `cartesia-broker needs Node ${OLDEST.join('.')} or newer, but this is ${version}.`;
}
