// Counters and histograms for the request path. prom-client builds a string key from the labels at every count, which takes 1 to 2 µs, and
// a carried request makes a dozen counts. Here a tree of label values leads straight to the place that holds the count.
import { Counter, type CounterConfiguration, Histogram, type HistogramConfiguration } from 'prom-client';

type Labels<T extends string> = Readonly<Partial<Record<T, string | number>>>;

/** A counter whose `inc` only adds a number; the sums go to prom-client when the metrics are scraped. */
export function hotCounter<T extends string>(configuration: CounterConfiguration<T>): Counter<T> {
  const places = createPlaces(configuration.labelNames ?? [], (labels: Labels<T>) => ({ labels, amount: 0 }));
  const counter = new Counter<T>({
    ...configuration,
    collect() {
      for (const place of places.all) {
        tell(place.labels, place.amount);
        place.amount = 0;
      }
    },
  });
  const tell: (labels: Labels<T>, amount: number) => void = counter.inc.bind(counter);
  const inc = (labels: Labels<T>, amount = 1): void => {
    if (!(amount >= 0)) throw new TypeError(`${configuration.name} cannot count ${amount}`);
    places.of(labels).amount += amount;
  };
  return Object.assign(counter, { inc });
}

/** What prom-client keeps for each set of labels. The lockfile fixes its version, and a test compares our output with prom-client's own. */
interface Kept {
  readonly bucketValues: Record<string, number>;
  sum: number;
  count: number;
}

/** A histogram whose `observe` only adds numbers; the buckets go to prom-client when the metrics are scraped. */
export function hotHistogram<T extends string>(
  configuration: HistogramConfiguration<T> & { readonly buckets: readonly number[] },
): Histogram<T> {
  const { buckets } = configuration;
  const places = createPlaces(configuration.labelNames ?? [], (labels: Labels<T>) => ({
    kept: keptFor(labels),
    // Indexed by position: prom-client keys its buckets by their bounds as strings, so each observation would convert a number.
    counts: buckets.map(() => 0),
  }));
  const histogram = new Histogram<T>({
    ...configuration,
    buckets: [...buckets],
    collect() {
      for (const { kept, counts } of places.all)
        for (const [at, bound] of buckets.entries()) {
          kept.bucketValues[bound] = (kept.bucketValues[bound] ?? 0) + (counts[at] ?? 0);
          counts[at] = 0;
        }
    },
  });
  const { hashMap } = histogram as unknown as { readonly hashMap: Record<string, Kept> }; // see Kept
  function keptFor(labels: Labels<T>): Kept {
    const others = { ...hashMap };
    histogram.zero(labels);
    const [name, kept] = Object.entries(hashMap).find(([key, one]) => others[key] !== one) ?? [];
    if (name === undefined || kept === undefined)
      throw new TypeError(`${configuration.name} keeps its figures elsewhere`);
    // To prom-client the number 200 and the string "200" are the same label value, so both share one record.
    return Object.assign(hashMap, { [name]: others[name] ?? kept })[name] as Kept; // just set
  }
  const observe = (labels: Labels<T>, value: number): void => {
    const { kept, counts } = places.of(labels);
    kept.sum += value;
    kept.count += 1;
    for (let at = 0; at < buckets.length; at += 1) {
      if (value > (buckets[at] ?? 0)) continue;
      counts[at] = (counts[at] ?? 0) + 1;
      return;
    }
  };
  return Object.assign(histogram, { observe });
}

interface Places<T extends string, P> {
  readonly all: readonly P[];
  /** The place for these label values, made when they first occur. */
  of(labels: Labels<T>): P;
}

type Value = string | number | undefined;
type Branch<P> = Map<Value, Branch<P> | P>;

/** A tree with one level per label: no key is built, and the label values are mostly constants of the program. */
function createPlaces<T extends string, P extends object>(
  names: readonly T[],
  make: (labels: Labels<T>) => P,
): Places<T, P> {
  const all: P[] = [];
  const root: Branch<P> = new Map();
  const last = names.at(-1);
  const branches = names.slice(0, -1);
  return {
    all,
    of(labels) {
      let branch = root;
      for (const name of branches) {
        const value = labels[name];
        let next = branch.get(value);
        if (next === undefined) {
          next = new Map();
          branch.set(value, next);
        }
        branch = next as Branch<P>; // not the last label, so a branch
      }
      const value = last === undefined ? undefined : labels[last];
      let place = branch.get(value);
      if (place === undefined) {
        place = make({ ...labels });
        branch.set(value, place);
        all.push(place);
      }
      return place as P; // the last label, so a place
    },
  };
}
