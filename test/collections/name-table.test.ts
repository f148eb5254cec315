import fc from 'fast-check';
import t from 'tap';
import { type Named, NameTable } from '../../src/collections/name-table.ts';

interface Entry extends Named<Entry> {
  readonly made: number;
}

const steps = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'delete'), fc.nat(400)), { maxLength: 600 });

t.test('it finds exactly the entries in it, however large it grows', async (t) => {
  await t.resolves(async () =>
    fc.assert(
      fc.property(steps, (all) => {
        const table = new NameTable<Entry>();
        const model = new Map<string, Entry>();
        for (const [made, [step, number]] of all.entries()) {
          const id = `replica/${number}`;
          const known = model.get(id);
          if (step === 'delete' && known !== undefined) {
            table.delete(known);
            table.delete(known);
            model.delete(id);
          } else if (step === 'add' && known === undefined) {
            const entry: Entry = { id, made, next: null };
            table.add(entry);
            model.set(id, entry);
          }
          if (table.get(id) !== model.get(id) || table.size !== model.size) return false;
        }
        const byName = (a: Entry, b: Entry): number => a.id.localeCompare(b.id);
        const [found, expected] = [table.all().toSorted(byName), [...model.values()].sort(byName)];
        return found.length === expected.length && found.every((entry, i) => entry === expected[i]);
      }),
    ),
  );
});

t.test('names with the same ending are distinguished', async (t) => {
  const table = new NameTable<Entry>();
  const entries = ['one', 'two', 'three'].map((name, made) => ({ id: `${name}/the-same-ending`, made, next: null }));
  for (const entry of entries) table.add(entry);
  const [first, second, third] = entries as [Entry, Entry, Entry];
  table.delete(second);
  t.equal(table.get(first.id), first);
  t.equal(table.get(second.id), undefined);
  t.equal(table.has(third.id), true);
  t.equal(table.get('four/the-same-ending'), undefined);
});

t.test('entries may be removed while it is walked', async (t) => {
  const table = new NameTable<Entry>();
  for (let made = 0; made < 300; made += 1) table.add({ id: `entry ${made}`, made, next: null });
  for (const entry of table.all()) table.delete(entry);
  t.equal(table.size, 0);
  t.strictSame(table.all(), []);
});
