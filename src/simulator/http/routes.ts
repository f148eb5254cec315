// The table of HTTP endpoints.

import { accessTokenRoute } from './access-token.ts';
import type { Route } from './router.ts';
import { statusRoute } from './status.ts';
import { ttsBytesRoute } from './tts-bytes.ts';

export const ROUTES: readonly Route[] = [statusRoute, accessTokenRoute, ttsBytesRoute];
