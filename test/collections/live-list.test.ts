import fc from 'fast-check';
import t from 'tap';
import { LiveList } from '../../src/collections/live-list.ts';

const item = (name: number) => ({ name, place: -1 });

t.test('it contains every item added and not deleted, once', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(5)), { maxLength: 40 }), (steps) => {
      const items = Array.from({ length: 6 }, (_, name) => item(name));
      const list = new LiveList<(typeof items)[number]>();
      const model = new Set<number>();
      for (const [isAdded, name] of steps) {
        const one = items[name];
        if (one === undefined) throw new Error('no such item');
        if (isAdded) {
          list.add(one);
          model.add(name);
        } else {
          list.delete(one);
          model.delete(name);
        }
      }
      const names = list.all().map((one) => one.name);
      return list.size === model.size && names.length === model.size && names.every((name) => model.has(name));
    }),
  );
  t.end();
});

t.test('items may be removed while the list is walked', (t) => {
  const list = new LiveList<{ name: number; place: number }>();
  for (let name = 0; name < 10; name += 1) list.add(item(name));
  const walked: number[] = [];
  for (const one of list.all()) {
    walked.push(one.name);
    list.delete(one);
  }
  t.equal(walked.length, 10);
  t.equal(list.size, 0);
  t.end();
});

t.test('an item of another list is not deleted', (t) => {
  const [one, other] = [new LiveList<{ place: number }>(), new LiveList<{ place: number }>()];
  const entry = { place: -1 };
  one.add(entry);
  other.add({ place: -1 });
  other.delete(entry);
  t.equal(one.size, 1);
  t.equal(other.size, 1);
  one.delete(entry);
  t.equal(one.size, 0, 'it is still in its own list');
  t.end();
});

t.test('find() returns a matching item as long as it is in the list', (t) => {
  const list = new LiveList<ReturnType<typeof item>>();
  const [first, second] = [item(1), item(2)];
  list.add(first);
  list.add(second);
  t.equal(
    list.find(({ name }) => name === 2),
    second,
  );
  list.delete(second);
  t.equal(
    list.find(({ name }) => name === 2),
    undefined,
  );
  t.end();
});
