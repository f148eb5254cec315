// The frame of every page: one HTML document that has no scripts and loads nothing.
import { type Html, html } from './html.ts';

export interface PageParts {
  readonly title: string;
  /** For search engines and previews; `null` = none. */
  readonly description: string | null;
  readonly style: Html;
  readonly body: Html;
}

export function htmlDocument({ title, description, style, body }: PageParts): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${description === null ? null : html`<meta name="description" content="${description}">`}
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${body}
</body>
</html>
`;
}
