// The console's stylesheet.
import { Html } from '../../html/html.ts';
import { PALETTE } from '../../html/palette.ts';

export const CONSOLE_STYLE = new Html(`
${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 var(--sans); overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: .18em; }
:focus-visible { outline: .15rem solid var(--accent); outline-offset: .15rem; border-radius: .2rem; }
code { font-family: var(--mono); font-size: .9em; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; padding: .9rem 1.25rem; border-bottom: 1px solid var(--line); }
nav p { margin: 0; font-weight: 650; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; margin: 0; padding: 0; }
nav a { color: var(--ink); text-decoration: none; display: inline-block; padding: .2rem 0; }
nav a:hover, nav a[aria-current] { color: var(--accent); text-decoration: underline; }
main { padding: 1.25rem 1.25rem 4rem; max-width: 80rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .25rem 0 1rem; }
h2 { font-size: 1.15rem; line-height: 1.25; margin: 2rem 0 .75rem; }
dl { display: flex; flex-wrap: wrap; gap: .75rem 2rem; margin: 0; }
dt { font-size: .84rem; color: var(--soft); }
dd { margin: 0; font-weight: 600; }
.table { overflow-x: auto; margin: 0 0 1.5rem; }
table { border-collapse: collapse; font-size: .94rem; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { text-align: left; vertical-align: top; padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); }
th { font-size: .84rem; color: var(--soft); white-space: nowrap; }
td { max-width: 24rem; }
abbr { text-decoration: none; font-family: var(--mono); font-size: .9em; }
.number { font-variant-numeric: tabular-nums; }
.buttons, .line { display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: end; margin: 0 0 1rem; }
.buttons { margin: 0; align-items: baseline; }
label { font-size: .84rem; color: var(--soft); }
input, select, button { font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--line); border-radius: .3rem; padding: .25rem .6rem; max-width: 100%; }
label input, label select { display: block; font-size: 1rem; }
.line :is(input, select, button) { height: 2.2rem; }
button { cursor: pointer; }
button:hover { border-color: var(--accent); }
.done { padding: .4rem .8rem; background: var(--get-paper); color: var(--get); }
.bad { color: var(--bad); }
summary { cursor: pointer; padding: .3rem 0; }
`);
