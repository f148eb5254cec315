import fc from 'fast-check';
import t from 'tap';
import { BriefMap } from '../../src/collections/brief-map.ts';

t.test('it behaves like a Map', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('set', 'delete'), fc.nat(5), fc.nat())), (steps) => {
      const map = new BriefMap<number>();
      const model = new Map<string, number>();
      for (const [step, name, value] of steps) {
        const key = String(name);
        if (step === 'set') {
          map.set(key, value);
          model.set(key, value);
        } else if (map.delete(key) !== model.delete(key)) return false;
        if (map.size !== model.size || map.get(key) !== model.get(key)) return false;
      }
      return map.keys().join() === [...model.keys()].join() && map.values().join() === [...model.values()].join();
    }),
  );
  t.end();
});

t.test('entries may be removed while it is walked', (t) => {
  const map = new BriefMap<string>();
  map.set('a', 'A');
  map.set('b', 'B');
  for (const key of map.keys()) t.ok(map.delete(key));
  t.equal(map.size, 0);
  t.strictSame([map.keys(), map.values(), map.get('a')], [[], [], undefined]);
  t.end();
});
