import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { createServer, listen } from './listener.js';
import { isGenuine, mint } from './mint-call.js';

const app = new Hono();
app.post('/access-token', async (context) => {
  if (await isGenuine(context.req.header('authorization'))) return context.json(await mint());
  return context.body(null, 401);
});
listen(createServer(getRequestListener(app.fetch)));
