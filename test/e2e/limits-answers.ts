// What tests of limits read from responses and metrics.
import { send } from './carried-broker.ts';

export interface ProblemBody {
  readonly error_code: string | null;
  readonly message: string;
  readonly source: string;
}

export function problemOf({ body }: { readonly body: Buffer }): ProblemBody {
  return JSON.parse(body.toString()) as ProblemBody;
}

/** Resolves once the condition holds; otherwise tap's timeout ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 2));
}

/** The values in `GET /metrics`, by name and labels as written there. */
export async function metricsOf(managementUrl: string): Promise<ReadonlyMap<string, number>> {
  const { body } = await send(`${managementUrl}/metrics`);
  const lines = body.toString().split('\n');
  return new Map(
    lines
      .filter((line) => line.startsWith('broker_'))
      .map((line) => [upToLastBlank(line), Number(afterLastBlank(line))]),
  );
}

const upToLastBlank = (line: string): string => line.slice(0, line.lastIndexOf(' '));
const afterLastBlank = (line: string): string => line.slice(line.lastIndexOf(' ') + 1);
