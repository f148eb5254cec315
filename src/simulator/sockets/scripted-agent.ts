// The script of the simulated agent, with which an app can trigger every message of the protocol by talking.

export type AgentAction =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'press'; readonly digit: string }
  | { readonly kind: 'transfer'; readonly number: string }
  | { readonly kind: 'call_tool'; readonly name: string; readonly parameters: Readonly<Record<string, unknown>> }
  | { readonly kind: 'hang_up'; readonly lastWords: string | null; readonly reason: string | null }
  | { readonly kind: 'fail' };

/** The first line whose words the user says decides; if none matches, the agent repeats what it heard. */
const SCRIPT: readonly { readonly when: RegExp; readonly actions: (match: RegExpExecArray) => AgentAction[] }[] = [
  {
    when: /goodbye/i,
    actions: () => [{ kind: 'hang_up', lastWords: 'Goodbye!', reason: 'goodbye' }],
  },
  { when: /hang up/i, actions: () => [{ kind: 'hang_up', lastWords: null, reason: null }] },
  {
    when: /transfer/i,
    actions: () => [
      { kind: 'say', text: 'I am connecting you.' },
      { kind: 'transfer', number: '+15550101' },
    ],
  },
  { when: /press ([0-9*#])/i, actions: ([, digit = '#']) => [{ kind: 'press', digit }] },
  {
    when: /look me up/i,
    actions: () => [{ kind: 'call_tool', name: 'lookup_customer', parameters: { phone: '+15550100' } }],
  },
  { when: /break down/i, actions: () => [{ kind: 'fail' }] },
];

export function replyTo(text: string): AgentAction[] {
  for (const { when, actions } of SCRIPT) {
    const match = when.exec(text);
    if (match !== null) return actions(match);
  }
  return [{ kind: 'say', text: `You said: ${text}` }];
}

/** The agent presses the same key and names it. */
export function replyToDigit(digit: string): AgentAction[] {
  return [
    { kind: 'press', digit },
    { kind: 'say', text: `You pressed ${digit}.` },
  ];
}
