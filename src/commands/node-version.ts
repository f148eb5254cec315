// Checks the version of Node before a command runs: on an older one, libraries fail with errors that do not name the cause.

/** The same as `engines` in package.json. */
const OLDEST: readonly [major: number, minor: number] = [22, 19];

/** @param version such as `24.21.0` @returns the message for the user; `null` = the version is new enough */
export function complaintAboutNode(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `cartesia-broker needs Node ${OLDEST.join('.')} or newer, but this is ${version}.`;
}
