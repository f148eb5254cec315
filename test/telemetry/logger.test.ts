import { test } from 'tap';
import { Secret } from '../../src/config/secret.ts';
import { createLogger, describeError, type Logger } from '../../src/telemetry/logger.ts';
import { makeCanary } from '../canary/canary.ts';
import { OutputWatch } from '../canary/output-watch.ts';

const { value: SECRET } = makeCanary('secret');

function logged(log: (logger: Logger) => void): { line: Record<string, unknown>; leaks: number } {
  const watch = new OutputWatch();
  watch.add({ name: 'secret', value: SECRET });
  let text = '';
  log(
    createLogger('trace', {
      write(line: string) {
        text += line;
      },
    }),
  );
  watch.record('log', text);
  return { line: JSON.parse(text), leaks: watch.leaks().length };
}

/** An error with the secret in every possible place: message, message lines that look like stack frames, properties, causes. */
function leakyError(): Error {
  const message = `401 with ${SECRET}\n    at ${SECRET} (file:///${SECRET}.js:1:1)`;
  const inner = Object.assign(new TypeError(message), {
    code: 'E_INNER',
    url: `https://x/?key=${SECRET}`,
    [SECRET]: 1,
  });
  const middle = new AggregateError([inner], message, { cause: inner });
  return Object.assign(new Error(message, { cause: middle }), {
    code: SECRET,
    headers: { authorization: `Bearer ${SECRET}` },
    toJSON: () => SECRET,
    toString: () => SECRET,
  });
}

test('an error is logged with its type and location, and nothing that it contains', async (t) => {
  const { line, leaks } = logged((logger) => logger.error({ err: leakyError() }, 'request failed'));
  t.equal(leaks, 0);
  t.match(line, {
    level: 'error',
    msg: 'request failed',
    err: { type: 'Error', cause: { type: 'AggregateError', cause: { type: 'TypeError', code: 'E_INNER' } } },
  });
  const { at } = line['err'] as { at: string[] };
  t.ok(at.length > 0 && at.length <= 5);
  t.match(at[0], /leakyError.*logger\.test\.ts/);
  const { line: other } = logged((logger) => logger.error({ reason: leakyError(), text: 'x', n: 7 }, 'failed'));
  t.match(other, { reason: { type: 'Error' }, text: 'x', n: 7 }, 'fields beside it are logged unchanged');
});

test('no way of logging an error reveals its content', async (t) => {
  const ways: Readonly<Record<string, (logger: Logger) => void>> = {
    'alone, without a message': (logger) => logger.error(leakyError()),
    'alone, with a message': (logger) => logger.error(leakyError(), 'failed'),
    'as err, without a message': (logger) => logger.error({ err: leakyError() }),
    'under another name': (logger) => logger.error({ reason: leakyError(), a: 1 }, 'failed'),
    'under two names': (logger) => logger.error({ err: leakyError(), error: leakyError(), e: leakyError() }, 'failed'),
    'as a parameter of a message': (logger) => logger.error('failed: %s %o', leakyError(), SECRET),
    'as a parameter of the message of an object': (logger) => logger.error({ a: 1 }, 'failed: %s', SECRET),
    'in a child': (logger) => logger.child({ part: 'x' }).error(leakyError()),
    'as a thrown object that is not an error': (logger) => logger.error({ err: { message: SECRET } }, 'failed'),
    'as thrown text': (logger) => logger.error({ err: SECRET }, 'failed'),
    "Node's request": (logger) => logger.error({ req: { headers: { authorization: SECRET } }, res: SECRET }, 'failed'),
    'a secret object': (logger) => logger.error({ key: new Secret(SECRET) }, 'failed'),
  };
  for (const [name, way] of Object.entries(ways)) {
    const { line, leaks } = logged(way);
    t.equal(leaks, 0, name);
    t.equal(line['level'], 'error', name);
    t.type(line['msg'], 'string', name);
  }
});

test('control: a logger without these rules reveals the secret', async (t) => {
  const watch = new OutputWatch();
  watch.add({ name: 'secret', value: SECRET });
  const { pino } = await import('pino');
  pino({}, { write: (line: string) => watch.record('log', line) }).error({ err: leakyError() });
  t.ok(watch.leaks().length > 0);
});

test('fields that are not errors are logged unchanged', async (t) => {
  const { line } = logged((logger) => logger.info({ a: 1, b: 'x', c: null, d: [1], e: { f: true } }, 'hello'));
  t.match(line, { a: 1, b: 'x', c: null, d: [1], e: { f: true }, msg: 'hello', level: 'info' });
  t.match(line['time'], /^\d{4}-\d\d-\d\dT/);
  t.strictSame(Object.keys(line).sort(), ['a', 'b', 'c', 'd', 'e', 'level', 'msg', 'time']);
  t.equal(logged((logger) => logger.info('only a text')).line['msg'], 'only a text');
});

test('describeError copes with non-errors, endless cause chains and stacks that do not match their message', async (t) => {
  t.strictSame(describeError('text'), { type: 'string' });
  t.strictSame(describeError(null), { type: 'object' });
  t.strictSame(describeError(undefined), { type: 'undefined' });
  const loop = new Error('a');
  loop.cause = loop;
  t.equal(JSON.stringify(describeError(loop)).match(/"cause"/g)?.length, 4);
  const changed = new Error(`${SECRET}\n    at ${SECRET}`);
  t.ok(changed.stack, 'created with the first message');
  changed.message = 'another';
  t.equal(describeError(changed).at, undefined, 'then no stack is shown');
  t.ok((describeError(new Error('')).at?.length ?? 0) > 0, 'no message, only frames');
  t.equal(describeError(Object.assign(new Error('x'), { code: `not a code ${SECRET}` })).code, undefined);
  t.strictSame(describeError(Object.assign(new Error('x'), { stack: undefined })), { type: 'Error' });
});
