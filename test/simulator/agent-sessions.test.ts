import { test } from 'tap';
import { AgentSessions } from '../../src/simulator/agent-sessions.ts';

const SESSION = { agentId: 'agent_1', dynamicVariables: { name: 'Ada' }, configOverrides: {}, expiresAt: 1_000 };

test('a session token opens one call of its agent', async (t) => {
  const sessions = new AgentSessions();
  const token = sessions.create(SESSION);
  t.equal(sessions.find(token, 'agent_2', 0), null, 'not another agent');
  t.strictSame(sessions.find(token, 'agent_1', 999), SESSION);
  sessions.use(token);
  t.equal(sessions.find(token, 'agent_1', 999), null, 'only once');
  t.equal(sessions.find('ast_other', 'agent_1', 0), null);
});

test('a session token expires', async (t) => {
  const sessions = new AgentSessions();
  t.equal(sessions.find(sessions.create(SESSION), 'agent_1', 1_000), null);
});
