// Prints how a full account is shared. node bench/fairness.ts
import { fairnessTable } from './fairness-table.ts';

for (const line of fairnessTable()) console.log(line);
