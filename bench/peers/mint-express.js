import express from 'express';
import { createServer, listen } from './listener.js';
import { isGenuine, mint } from './mint-call.js';

const app = express();
app.post('/access-token', async (request, response) => {
  if (await isGenuine(request.headers.authorization)) response.json(await mint());
  else response.status(401).end();
});
listen(createServer(app));
