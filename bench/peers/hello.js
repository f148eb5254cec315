// A minimal Node server, the lower bound of start-up time and memory.
import { createServer, listen } from './listener.js';

listen(
  createServer((_request, response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"ok":true}');
  }),
);
