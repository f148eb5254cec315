// A real Chromium for a test, ended with it.
import { execFileSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

const FIND = 'command -v chromium || command -v chromium-browser || command -v google-chrome';

/** It talks to nobody by itself. */
export async function startChromium(t: Test): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: execFileSync('sh', ['-c', FIND]).toString().trim(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  t.teardown(() => browser.close());
  return browser;
}
