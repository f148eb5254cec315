// The table of HTTP endpoints.

import { accessTokenRoute } from './access-token.ts';
import { agentSessionRoute } from './agent-sessions.ts';
import { managementRoutes } from './management.ts';
import { organizationRoutes } from './organizations.ts';
import type { Route } from './router.ts';
import { statusRoute } from './status.ts';
import { sttRoute, transcriptionsRoute } from './stt.ts';
import { ttsBytesRoute } from './tts-bytes.ts';
import { ttsSseRoute } from './tts-sse.ts';
import { voiceChangerRoutes } from './voice-changer.ts';
import { voiceRoutes } from './voices.ts';

export const ROUTES: readonly Route[] = [
  statusRoute,
  accessTokenRoute,
  ttsBytesRoute,
  ttsSseRoute,
  sttRoute,
  transcriptionsRoute,
  ...voiceRoutes,
  ...voiceChangerRoutes,
  agentSessionRoute,
  ...organizationRoutes,
  ...managementRoutes,
];
