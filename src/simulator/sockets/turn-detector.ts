// Decides from text and silence when a speaker's turn begins, pauses and ends. Pure decisions, without a clock.

/** Thresholds for the probability that the user is speaking. There is none for the start: text is certain to be speech. */
export interface TurnThresholds {
  readonly eagerEnd: number;
  readonly end: number;
}

const DEFAULT_THRESHOLDS: TurnThresholds = { eagerEnd: 0.6, end: 0.3 };

export type TurnEvent =
  | { readonly type: 'start' | 'resume' }
  | { readonly type: 'update' | 'eager_end' | 'end'; readonly transcript: string };

export interface TurnDetector {
  thresholds: TurnThresholds;
  readonly isInTurn: boolean;
  /** Call it after every piece of audio, with the text heard in this turn so far and the length of the silence since. */
  hear(transcript: string, silentSeconds: number): TurnEvent[];
  /** Ends the turn now, if there is one. */
  end(transcript: string): TurnEvent[];
}

export function createTurnDetector(): TurnDetector {
  let heard = '';
  let isPausing = false;
  let thresholds = DEFAULT_THRESHOLDS;
  const end = (transcript: string): TurnEvent[] => {
    if (transcript === '') return [];
    heard = '';
    isPausing = false;
    return [{ type: 'end', transcript }];
  };
  return {
    get thresholds() {
      return thresholds;
    },
    set thresholds(changed) {
      thresholds = changed;
    },
    get isInTurn() {
      return heard !== '';
    },
    end,
    hear(transcript, silentSeconds) {
      const events: TurnEvent[] = [];
      const speaking = speakingProbability(silentSeconds);
      if (transcript !== heard) {
        if (heard === '') events.push({ type: 'start' });
        if (isPausing) events.push({ type: 'resume' });
        events.push({ type: 'update', transcript });
        heard = transcript;
        isPausing = false;
      }
      if (heard === '') return events;
      if (!isPausing && speaking < thresholds.eagerEnd) {
        isPausing = true;
        events.push({ type: 'eager_end', transcript });
      }
      return speaking < thresholds.end ? [...events, ...end(transcript)] : events;
    },
  };
}

/** Falls from 1 to 0 in the first second of silence: the default thresholds for the end correspond to 0.4 s and 0.7 s. */
function speakingProbability(silentSeconds: number): number {
  return Math.max(0, 1 - silentSeconds);
}
