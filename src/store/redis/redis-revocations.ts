// Revocations in Redis: a hash, its version, and a message to all replicas at each change.
import { revocationKey } from '../revocation-key.ts';
import type { Revocation, RevocationStore } from '../revocations.ts';
import { notUnderstood, type RedisLink } from './redis-link.ts';
import { listIn, never, numberIn, redisScript, textIn, textsIn } from './redis-script.ts';

/**
 * KEYS: the hash, the version. ARGV: `add` or `remove`, the key, the revocation, the channel, for how many milliseconds it holds
 * (`` = forever). Its end is computed by Redis' clock, as the replica's may differ, and stored before the revocation and a space.
 * The version comes first: a full Redis refuses to change it, and nothing is done. The message may fail where channels are forbidden.
 */
const CHANGE = redisScript(
  `
local was = redis.call('HEXISTS', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
local value = ARGV[3]
if ARGV[5] ~= '' then
  local time = redis.call('TIME')
  value = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[5]) .. ' ' .. value
end
if ARGV[1] == 'add' then redis.call('HSET', KEYS[1], ARGV[2], value)
else redis.call('HDEL', KEYS[1], ARGV[2]) end
redis.pcall('PUBLISH', ARGV[4], 'changed')
return was
`,
  { read: numberIn },
);

/** About how many revocations are read at once. Ten times as many take Redis and the client half of the time that a call may take. */
const READ_MAX = 1_000;

/**
 * KEYS: the hash. ARGV: where to go on, `0` = at the beginning. Drops revocations of tokens that have expired by themselves.
 * Returns where to go on, `0` = this was the end, and the revocations. Those that change in between may be left out, or come twice.
 */
const LIST = redisScript(
  `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = {}
local next, flat = unpack(redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ${READ_MAX}))
for i = 1, #flat, 2 do
  local ends, text = string.match(flat[i + 1], '^(%d+) (.*)$')
  if ends and tonumber(ends) <= now then redis.call('HDEL', KEYS[1], flat[i])
  else kept[#kept + 1] = text or flat[i + 1] end
end
return { next, kept }
`,
  {
    read(answer) {
      const [next, texts] = listIn(answer);
      const found = textsIn(texts).map((text) => JSON.parse(text) as Revocation); // written by `add`
      return { next: textIn(next), found };
    },
    hasWritten: never,
  },
);

export interface RedisRevocationsOptions {
  readonly link: RedisLink;
  readonly prefix: string;
  /** Epoch milliseconds of this replica. */
  readonly epochNow: () => number;
  readonly changed: () => void;
}

export function createRedisRevocations(options: RedisRevocationsOptions): RevocationStore {
  const { link, prefix, epochNow, changed } = options;
  const keys = ['revoked', 'version'].map((name) => `${prefix}:{revocations}:${name}`);
  const [hash = '', version = ''] = keys;
  const channel = `${prefix}:revocations`;
  link.subscribe(channel, changed);
  return {
    async list() {
      const all = new Map<string, Revocation>();
      let from = '0';
      do {
        const { next, found } = await link.run('revocation_list', LIST, [hash], [from]);
        for (const one of found) all.set(revocationKey(one), one);
        from = next;
      } while (from !== '0');
      return [...all.values()];
    },
    async add(one) {
      const lifeMs = one.scope === 'token' ? String(Math.max(0, Math.ceil(one.untilMs - epochNow()))) : '';
      const args = ['add', revocationKey(one), JSON.stringify(one), channel, lifeMs];
      await link.run('revocation_change', CHANGE, keys, args);
    },
    async remove(one) {
      const args = ['remove', revocationKey(one), '', channel, ''];
      return (await link.run('revocation_change', CHANGE, keys, args)) === 1;
    },
    async version() {
      const answer = await link.command('revocation_version', 'GET', version);
      if (answer === null) return '0';
      if (typeof answer !== 'string' || !/^\d+$/.test(answer)) throw notUnderstood();
      return answer;
    },
  };
}
