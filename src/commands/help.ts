// Recognises arguments that ask for a command's usage.

export function isHelp(argv: readonly string[]): boolean {
  return argv.length === 1 && (argv[0] === '--help' || argv[0] === '-h');
}
