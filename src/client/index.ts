// The token helper for apps in browsers, React Native and Node. It uses only what all of them have and has no dependencies.
export type { AccessToken } from './access-token.ts';
export { BrokerError } from './broker-error.ts';
export { createTokenSource, type TokenSource, type TokenSourceOptions } from './token-source.ts';
