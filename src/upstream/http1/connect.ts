// Opens one connection to Cartesia: over TLS with the certificate always verified, or over plain TCP, which the configuration allows only
// to this machine.
import net, { type OnReadOpts, type Socket } from 'node:net';
import tls, { type SecureContext } from 'node:tls';
import { UpstreamFailure } from '../upstream-failure.ts';

/** Where Cartesia is. */
export interface Origin {
  readonly isSecure: boolean;
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** The value of the Host header. */
  readonly authority: string;
}

export interface ConnectOptions {
  readonly origin: Origin;
  /** The trusted authorities; `undefined` without TLS. */
  readonly secureContext: SecureContext | undefined;
  readonly timeoutMs: number;
  /** Receives what arrives and supplies the buffer for the next read. */
  readonly onread: OnReadOpts;
}

export function originOf(baseUrl: string): Origin {
  const url = new URL(baseUrl);
  const isSecure = url.protocol === 'https:';
  return {
    isSecure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port),
    authority: url.host,
  };
}

/** @param onReady called once the connection may be written to: over TLS, after the certificate was verified for the host */
export function connectTo(options: ConnectOptions, onReady: (socket: Socket) => void): Socket {
  const { origin, secureContext, timeoutMs, onread } = options;
  const common = { host: origin.host, port: origin.port, noDelay: true, onread };
  const socket = origin.isSecure
    ? tls.connect({
        ...common,
        ...(secureContext === undefined ? {} : { secureContext }),
        // An address is not sent as a server name (RFC 6066 §3); either way the certificate must be for `host`.
        ...(net.isIP(origin.host) === 0 ? { servername: origin.host } : {}),
        // Explicit, so that NODE_TLS_REJECT_UNAUTHORIZED=0 does not affect this connection. No session is ever resumed: Node does not
        // check the name of a resumed session's certificate again.
        rejectUnauthorized: true,
        ALPNProtocols: ['http/1.1'],
      })
    : net.connect(common);
  const timer = setTimeout(() => socket.destroy(new UpstreamFailure('connect_timeout', `${timeoutMs} ms`)), timeoutMs);
  socket.once(origin.isSecure ? 'secureConnect' : 'connect', () => {
    clearTimeout(timer);
    onReady(socket);
  });
  socket.once('close', () => clearTimeout(timer));
  return socket;
}
