// Sessions of one replica, listed and ended through another one: two processes, one Redis.
import { test } from 'tap';
import { runAdmin } from '../../src/commands/admin.ts';
import { capturedIo } from '../commands/captured-io.ts';
import { send } from './carried-broker.ts';
import { problemOf, until } from './limits-answers.ts';
import { deploy, type Replica } from './limits-replicas.ts';

interface Listing {
  readonly sessions: readonly { readonly id: string; readonly subject: string; readonly replica: string }[];
  readonly left_out: number;
  readonly silent_replicas: number;
}

test('one replica lists and ends what another one carries', async (t) => {
  const { simulator, replicas, adminToken, begin } = await deploy(t, { limit: 10 });
  const [here, there] = replicas;
  const admin = (replica: Replica, path: string, method = 'GET') =>
    send(`${replica.managementUrl}${path}`, { credential: adminToken, method });
  const list = async (replica: Replica, query = '') =>
    JSON.parse((await admin(replica, `/admin/sessions${query}`)).body.toString()) as Listing;

  simulator.configure({ latency: { perChunkMs: 60_000 } });
  const near = await begin(here, 'near');
  const far = await begin(there, 'far');
  const ended = new Map<string, boolean>();
  for (const [name, answer] of Object.entries({ near, far })) {
    answer.on('error', () => {}).on('close', () => ended.set(name, answer.complete));
    answer.resume();
  }
  for (const replica of replicas) {
    const { sessions, left_out, silent_replicas } = await list(replica);
    t.strictSame(sessions.map(({ subject }) => subject).sort(), ['far', 'near']);
    t.equal(new Set(sessions.map((one) => one.replica)).size, 2);
    t.strictSame([left_out, silent_replicas], [0, 0]);
  }
  const { sessions } = await list(here, '?client=kiosk&subject=far');
  t.equal(sessions.length, 1);
  t.strictSame((await list(here, '?client=web')).sessions, []);

  const command = async (...argv: string[]) => {
    const io = capturedIo({ ADMIN_TOKEN: adminToken });
    return { code: await runAdmin([...argv, '--url', here.managementUrl], io), ...io.written };
  };
  t.match(await command('sessions', '--subject', 'far'), { code: 0, stdout: sessions[0]?.id ?? 'none' });
  t.match(await command('kill', sessions[0]?.id ?? 'none'), { code: 0 });
  await until(() => ended.has('far'));
  t.strictSame([...ended], [['far', false]], 'only that one, in the middle of its answer');
  t.match(await command('kill', sessions[0]?.id ?? 'none'), { code: 1, stderr: /^404: / });

  there.child.kill('SIGKILL');
  await there.ended;
  const left = await list(here);
  t.strictSame(
    left.sessions.map(({ subject }) => subject),
    ['near'],
  );
  t.equal(left.silent_replicas, 1, 'a silent replica is counted, not forgotten');
  const refused = await admin(here, '/admin/sessions/none', 'DELETE');
  t.equal(refused.status, 404);
  t.match(problemOf(refused).message, /Replicas that did not answer: 1/);
  near.destroy();
});
