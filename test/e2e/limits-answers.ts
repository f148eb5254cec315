// What tests of limits read in answers.

export interface ProblemBody {
  readonly error_code: string | null;
  readonly message: string;
  readonly source: string;
}

export function problemOf({ body }: { readonly body: Buffer }): ProblemBody {
  return JSON.parse(body.toString()) as ProblemBody;
}

/** Resolves when it holds; the tap timeout is its end otherwise. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}
