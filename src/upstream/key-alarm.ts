// When Cartesia rejects a key, sets the key aside and raises an alarm, unless the key has been replaced already.
import type { KeyRing, RingKey } from './key-ring.ts';
import type { UpstreamEvent } from './upstream-event.ts';

/** @param status the status that rejected it: upstream's, or the one given in an error on an open stream or socket */
export type KeyAlarm = (key: RingKey, status: number) => void;

/** Shared by everything that calls Cartesia, so that a key refused to one of them is set aside for all. */
export interface SharedKeys {
  readonly ring: KeyRing;
  readonly keyRefused: KeyAlarm;
}

export function createKeyAlarm(ring: KeyRing, onEvent: (event: UpstreamEvent) => void): KeyAlarm {
  return (key, status) => {
    if (!ring.refused(key)) return; // its position belongs to its successor by now
    onEvent({ type: 'key_rejected', position: key.position, status, keysWorking: ring.working });
  };
}
