// When Cartesia rejects a key, sets the key aside and raises an alarm.
import type { KeyRing, RingKey } from './key-ring.ts';
import type { UpstreamEvent } from './upstream-event.ts';

/** @param status the status that rejected it: upstream's, or the one given in an error on an open stream or socket */
export type KeyAlarm = (key: RingKey, status: number) => void;

export function createKeyAlarm(ring: KeyRing, onEvent: (event: UpstreamEvent) => void): KeyAlarm {
  return (key, status) => {
    ring.refused(key);
    onEvent({ type: 'key_rejected', position: key.position, status, keysWorking: ring.working });
  };
}
