// Starts a real Chromium for a test, and closes it with the test.
import { execFileSync } from 'node:child_process';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

const FIND = 'command -v chromium || command -v chromium-browser || command -v google-chrome';

/** The browser makes no requests of its own. */
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
