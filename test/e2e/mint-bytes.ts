// POST /access-token as bytes, part by part, for tests that distort one of the parts.

export interface MintBytes {
  /** Default `POST`. */
  readonly method?: string;
  /** Default `/access-token`. */
  readonly target?: string;
  /** Default `HTTP/1.1`. */
  readonly version?: string;
  /** The whole field; default `Host: broker.test`, '' = none. */
  readonly host?: string;
  /** Sent as a bearer token; `null` = no credential. */
  readonly credential: string | null;
  /** More header fields, each whole, without its line end. */
  readonly fields?: readonly string[];
  /** Default `application/json`, '' = none. */
  readonly contentType?: string;
  /** Fields that give the length of the body; default Content-Length of `body`. */
  readonly framing?: readonly string[];
  /** Default `{}`. */
  readonly body?: string;
}

/** Latin-1: one character, one byte. */
export function mintBytes(parts: MintBytes): string {
  const { method = 'POST', target = '/access-token', version = 'HTTP/1.1', body = '{}' } = parts;
  const { host = 'Host: broker.test', contentType = 'application/json', fields = [], credential } = parts;
  const { framing = [`Content-Length: ${body.length}`] } = parts;
  const lines = [
    `${method} ${target} ${version}`,
    ...(host === '' ? [] : [host]),
    ...(credential === null ? [] : [`Authorization: Bearer ${credential}`]),
    ...(contentType === '' ? [] : [`Content-Type: ${contentType}`]),
    ...fields,
    ...framing,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}
