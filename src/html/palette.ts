// The colours and typefaces of every page. Colours are custom properties, so light and dark differ in one place; all text has a contrast of
// 4.5:1 or more.

/** CSS that goes before a page's own. */
export const PALETTE = `
:root {
  --paper: #fcfcfa; --ink: #1c2024; --soft: #5c646d; --line: #e3e4e0; --panel: #f4f4f0; --accent: #0b6e6e; --mark: #fff3c4;
  --get: #1a6e3c; --get-paper: #e2f3e7; --post: #1d4fa8; --post-paper: #e3ecfb;
  --string: #2a6b35; --key: #1d4fa8; --literal: #99450a; --comment: #646c75; --bad: #a3271d;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #121517; --ink: #e4e6e8; --soft: #9aa4ad; --line: #2a2f34; --panel: #1a1e21; --accent: #5fc9c4; --mark: #3a3315;
    --get: #7fd6a0; --get-paper: #17301f; --post: #8fb6ff; --post-paper: #18273f;
    --string: #8fd49a; --key: #8fb6ff; --literal: #f0a86c; --comment: #8d97a0; --bad: #f2958c;
  }
}
`;
