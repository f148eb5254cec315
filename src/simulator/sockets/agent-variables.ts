// Checks the dynamic variables of a managed agent's call.

export type Variables = Readonly<Record<string, unknown>>;

const MOST = 64;
const LONGEST_NAME = 64;
const RESERVED = /^(?:system__|secret__)/;

/** Returns what is wrong with the variables, or null. */
export function variablesFault(variables: Variables): string | null {
  const names = Object.keys(variables);
  if (names.length > MOST) return `At most ${MOST} dynamic variables are allowed.`;
  for (const name of names) {
    if (name === '' || name.length > LONGEST_NAME) return `Names have 1 to ${LONGEST_NAME} characters.`;
    if (RESERVED.test(name)) return `The name ${name} is reserved.`;
    if (!['string', 'number', 'boolean'].includes(typeof variables[name])) {
      return `The value of ${name} is no string, number or boolean.`;
    }
  }
  return null;
}

/** The required names that are missing. */
export function missingVariables(variables: Variables, required: readonly string[]): string[] {
  return required.filter((name) => !Object.hasOwn(variables, name));
}
