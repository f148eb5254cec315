// A relay as it is usually written: a `ws` server in front of a `ws` client.
import { WebSocket, WebSocketServer } from 'ws';
import { createServer, listen, UPSTREAM } from './listener.js';

const server = createServer();
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
server.on('upgrade', (request, socket, head) =>
  sockets.handleUpgrade(request, socket, head, (down) => relay(request.url, down)),
);
listen(server);

function relay(target, down) {
  const up = new WebSocket(UPSTREAM.replace('http', 'ws') + target, { perMessageDeflate: false });
  const early = [];
  down.on('message', (data, binary) => {
    if (up.readyState === WebSocket.OPEN) up.send(data, { binary });
    else early.push([data, binary]);
  });
  up.on('open', () => {
    for (const [data, binary] of early) up.send(data, { binary });
  });
  up.on('message', (data, binary) => down.send(data, { binary }));
  const end = () => {
    up.terminate();
    down.terminate();
  };
  for (const side of [up, down]) side.on('close', end).on('error', end);
}
