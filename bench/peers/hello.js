// The least that Node can do, and so the floor of start-up time and memory.
import { createServer, listen } from './listener.js';

listen(
  createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"ok":true}');
  }),
);
