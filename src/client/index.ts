// The helper for apps: browsers, React Native, Node. It uses what all of them have, and imports nothing.
export type { AccessToken } from './access-token.ts';
export { BrokerError } from './broker-error.ts';
export { createTokenSource, type TokenSource, type TokenSourceOptions } from './token-source.ts';
