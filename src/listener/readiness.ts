// Whether this replica wants traffic.

export interface Readiness {
  readonly state: 'starting' | 'ready' | 'draining';
  set(state: Readiness['state']): void;
}

export function createReadiness(): Readiness {
  let current: Readiness['state'] = 'starting';
  return {
    get state() {
      return current;
    },
    set(state) {
      current = state;
    },
  };
}
