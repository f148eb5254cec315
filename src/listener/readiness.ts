// Holds whether this replica wants traffic.
import type { Strain } from './strain.ts';

export interface Readiness {
  readonly state: 'starting' | 'ready' | 'draining';
  /** Not ready while there is strain; `null` = none. */
  readonly strain: Strain | null;
  set(state: Readiness['state']): void;
  setStrain(strain: Strain | null): void;
}

export function createReadiness(): Readiness {
  let current: Readiness['state'] = 'starting';
  let strain: Strain | null = null;
  return {
    get state() {
      return current;
    },
    get strain() {
      return strain;
    },
    set(state) {
      current = state;
    },
    setStrain(next) {
      strain = next;
    },
  };
}
