// What follows when Cartesia does not take a key: it is set aside, and somebody has to know.
import type { KeyRing, RingKey } from './key-ring.ts';
import type { UpstreamEvent } from './upstream-event.ts';

/** @param status what it was refused with: upstream's, or what an error on an open stream or socket says */
export type KeyAlarm = (key: RingKey, status: number) => void;

export function createKeyAlarm(ring: KeyRing, onEvent: (event: UpstreamEvent) => void): KeyAlarm {
  return (key, status) => {
    ring.refused(key);
    onEvent({ type: 'key_rejected', position: key.position, status, keysWorking: ring.working });
  };
}
