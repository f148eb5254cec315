// The reference page's stylesheet.
import { Html } from '../html/html.ts';
import { PALETTE } from '../html/palette.ts';

export const PAGE_STYLE = new Html(`
${PALETTE}
* { box-sizing: border-box; }
html { scroll-padding-top: 1.5rem; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.6 var(--sans); overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: .18em; text-decoration-thickness: .06em; }
:focus-visible { outline: .15rem solid var(--accent); outline-offset: .15rem; border-radius: .2rem; }
code { font-family: var(--mono); font-size: .9em; }
p code, dd code, li code { overflow-wrap: anywhere; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; z-index: 1; padding: .5rem 1rem; background: var(--paper); border: 1px solid var(--line); }

nav { padding: 1.25rem 1.25rem .25rem; border-bottom: 1px solid var(--line); font-size: .9rem; }
nav ul { list-style: none; margin: 0; padding: 0; }
nav > ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
nav ul ul { display: none; }
nav a { color: var(--ink); text-decoration: none; display: inline-block; padding: .3rem 0; }
nav a:hover { color: var(--accent); text-decoration: underline; }
.brand { margin: 0 0 .35rem; font-weight: 650; }
.machine { margin: .1rem 0 .6rem; }
.machine a { color: var(--soft); font-family: var(--mono); font-size: .85em; }

main { padding: 1.5rem 1.25rem 5rem; max-width: 76rem; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: clamp(1.7rem, 1.2rem + 2.4vw, 2.4rem); letter-spacing: -.02em; margin: .5rem 0 .75rem; }
h2 { font-size: 1.45rem; letter-spacing: -.01em; margin: 0 0 .75rem; }
h3 { font-size: 1.15rem; margin: 0 0 .4rem; }
h3 a { color: inherit; text-decoration: none; }
h3 a:hover { text-decoration: underline; }
h4 { font-size: .95rem; margin: 1.75rem 0 .5rem; }
p { margin: 0 0 .8rem; max-width: 46rem; }
.lead { font-size: 1.15rem; line-height: 1.5; }
.version { font: 400 .9rem var(--mono); letter-spacing: 0; color: var(--soft); vertical-align: .3em; white-space: nowrap; }
section { margin-top: 3.25rem; padding-top: 2rem; border-top: 1px solid var(--line); }
.endpoint { margin-top: 1.75rem; }
.endpoint + .endpoint { margin-top: 3rem; }
.route { display: flex; flex-wrap: wrap; align-items: center; gap: .6rem; margin-bottom: .9rem; }
.route > code { font-size: 1rem; font-weight: 600; }
.method { font: 700 .7rem/1 var(--mono); letter-spacing: .04em; padding: .3em .5em; border-radius: .3em; color: var(--soft); background: var(--panel); }
.method-get { color: var(--get); background: var(--get-paper); }
.method-post { color: var(--post); background: var(--post-paper); }
.tag { font-size: .82rem; color: var(--soft); }
a.tag { text-decoration-color: var(--line); }
.type { font: 400 .82rem var(--mono); color: var(--soft); }

.fields { margin: 0; border-top: 1px solid var(--line); }
.fields > div { padding: .6rem 0; border-bottom: 1px solid var(--line); }
.fields dt { font-weight: 400; }
.fields dt code { font-weight: 650; }
.fields dd { margin: .15rem 0 0; font-size: .94rem; }
.fields dd p, .failures dd p { margin: 0; }
.fields dd:empty { display: none; }
.beside > div + div { margin-top: 1rem; }
.fields .small { color: var(--soft); font-size: .86rem; }
.mark { font-size: .82rem; color: var(--bad); }

.code { margin: 0 0 1rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--panel); overflow: hidden; min-width: 0; }
.code figcaption { padding: .45rem .85rem; font-size: .84rem; color: var(--soft); border-bottom: 1px solid var(--line); }
.code pre { margin: 0; padding: .8rem .85rem; overflow-x: auto; font-size: .85rem; tab-size: 2; }
.beside pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.code code { font-size: inherit; line-height: 1.6; }
.key { color: var(--key); } .string { color: var(--string); } .literal { color: var(--literal); } .comment { color: var(--comment); }

details { margin-top: 1rem; border: 1px solid var(--line); border-radius: .5rem; padding: .15rem .85rem; }
summary { cursor: pointer; font-weight: 600; font-size: .92rem; padding: .45rem 0; }
details .fields > div:last-child { border-bottom: 0; }
.failures { margin: .2rem 0 .5rem; }
.failures > div { display: flex; gap: 1rem; padding: .35rem 0; border-top: 1px solid var(--line); }
.failures dt { font: 600 .9rem/1.7 var(--mono); flex: 0 0 2.5rem; }
.failures a { text-underline-offset: .4em; }
.failures dd { margin: 0; display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; }

.errors { border-collapse: collapse; width: 100%; margin-top: 1.75rem; font-size: .94rem; }
.errors th, .errors td { text-align: left; vertical-align: top; padding: .55rem 1rem .55rem 0; border-bottom: 1px solid var(--line); }
.errors thead th { font-size: .84rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
.errors tbody th { font-weight: 600; }
.errors .no { color: var(--soft); }
.errors .yes { color: var(--get); font-weight: 600; }
:target { background: var(--mark); }
section:target, article:target, main:target { background: none; }
:target > h2, :target > h3 { text-decoration: underline; text-decoration-color: var(--accent); text-decoration-thickness: .12em; text-underline-offset: .25em; }

@media (max-width: 44rem) {
  .code pre { font-size: .78rem; }
  .errors thead { position: absolute; left: -99rem; }
  .errors tr { display: grid; grid-template-columns: 1fr auto auto; gap: 0 .9rem; padding: .6rem 0; border-bottom: 1px solid var(--line); }
  .errors th, .errors td { padding: 0; border: 0; }
  .errors td:nth-child(2) { font-family: var(--mono); }
  .errors td:nth-child(3)::before { content: "retry: "; color: var(--soft); }
  .errors td:nth-child(4) { grid-column: 1 / -1; }
}
@media (min-width: 62rem) {
  body { display: grid; grid-template-columns: 17rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; border: 0; border-right: 1px solid var(--line); padding: 2rem 1.25rem 2rem 1.75rem; }
  nav > ul { display: block; }
  nav > ul > li > a { font-weight: 600; }
  nav ul ul { display: block; margin: 0 0 .5rem; }
  nav ul ul a { font-weight: 400; color: var(--soft); padding: .18rem 0; }
  nav .method { display: inline-block; width: 2.9rem; text-align: center; font-size: .62rem; margin-right: .25rem; }
  .brand { margin-bottom: 1.1rem; font-size: 1rem; }
  .machine { margin-top: 1.2rem; }
  main { padding: 2rem 3rem 6rem; }
  .beside > div + div { margin-top: 0; }
  .beside { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2rem; align-items: start; }
  .samples { display: grid; grid-template: auto 1fr / minmax(0, 1fr) minmax(0, 1.25fr); gap: 0 1.25rem; align-items: start; }
  .samples > :nth-child(2) { grid-column: 2; grid-row: 1 / span 2; }
}
@media print { nav, .skip { display: none; } .code { break-inside: avoid; } }
`);
