// docs/configuration.md: every setting, in the environment and in the file.
import { CONFIG_FILE_DESCRIPTION, CONFIG_FILE_VARIABLE } from '../../src/config/schema.ts';
import { SETTINGS, type Setting } from '../../src/config/setting-index.ts';
import { presetText, sentence, variablePresetText, variableSentence } from './setting-words.ts';

export function configurationPage(): string {
  return [INTRODUCTION, environmentTable(), RULES, fileTable()].join('\n');
}

const INTRODUCTION = `# Configuration

<!-- Made from src/config/schema.ts by \`npm run docs\`. Do not edit. -->

The environment is enough for the usual single client app:

\`\`\`sh
CARTESIA_API_KEY=sk_car_… CLIENT_KEYS=web=sha256:… cartesia-broker serve
\`\`\`

Many client apps, each with its own policy, are described in a YAML or JSON file that \`${CONFIG_FILE_VARIABLE}\` names.
\`cartesia-broker check-config\` checks both and lists every problem at once, or prints a summary; \`cartesia-broker key\` makes app
keys. In a clone these are \`npm start\`, \`npm run check-config\` and \`npm run key\`.

## Environment
`;

function environmentTable(): string {
  const rows = SETTINGS.filter(({ variable }) => variable !== undefined).map((setting) => {
    const { variable, path, isSecret, node } = setting;
    const names = isSecret ? `\`${variable}\`, \`${variable}_FILE\`` : `\`${variable}\``;
    const preset = node['x-default'] ?? code(variablePresetText(setting));
    return `| ${names} | ${preset || 'none'} | ${variableSentence(setting)} | \`${pathText(path)}\` |`;
  });
  const configFile = `| \`${CONFIG_FILE_VARIABLE}\` | none | ${CONFIG_FILE_DESCRIPTION} | |`;
  return `| variable | default | meaning | in the file |\n|---|---|---|---|\n${[...rows, configFile].join('\n')}\n`;
}

const RULES = `### How variables are read

- An empty variable counts as not set. Numbers are plain decimal integers, booleans \`true\` or \`false\`, rates \`30/minute\`
  (\`second\`, \`minute\`, \`hour\`, \`day\`). List items are separated by commas or line breaks, without comments or empty lines.
- A secret \`X\` can be read from the file that \`X_FILE\` names, as Docker and Kubernetes provide secrets; line breaks at its end
  are ignored. Setting both \`X\` and \`X_FILE\` is an error. No message ever shows a secret's value. The files of all secrets
  except app keys are read again while the broker runs ([operation](operation.md#renewing-secrets)).
- The environment describes one client app, \`default\`, for callers with a JWT of \`JWT_ISSUER\` and anonymous ones. Each name in
  \`CLIENT_KEYS\` is a client app of its own, with the same grants, lifetimes, delivery, origins and limits.
- \`serve\` refuses to start if nobody may call, that is, without \`CLIENT_KEYS\`, \`JWT_ISSUER\` or \`ALLOW_ANONYMOUS=true\`.
- A variable that resembles one of these, but is not one, causes a warning. So does a setting that does nothing together with the others.
- \`NODE_TLS_REJECT_UNAUTHORIZED=0\` is refused: the API key would be sent to any server that answers.

## The file

\`\`\`yaml
# yaml-language-server: $schema=./config.schema.json
listen: { public_url: "https://voice.example.com", trust_proxy: [10.0.0.0/8], require_https: true }
upstream: { api_key_file: /run/secrets/cartesia_api_key }
tokens: { signing_secret_file: /run/secrets/token_signing_secret }
limits: { mint_per_address: 600/minute } # the users of \`backend\` come from its one address
clients:
  web:
    auth:
      jwt: [{ issuer: "https://login.example.com", audience: voice, grants_from: { claim: scope, map: { speak: tts, listen: stt } } }]
    grants: [tts, stt]
    ttl: { default: 300, max: 900 }
    delivery: proxied
    origins: ["https://app.example.com"]
    limits: { mint: 30/minute }
  backend:
    trusted: true
    auth: { keys: ["sha256:..."] } # \`cartesia-broker key --name backend\` prints it
\`\`\`

- \`config.schema.json\` in this repository lets editors complete and check the file.
- For settings of the whole deployment, the environment overrides the file. Client apps are described in only one of the two:
  \`clients\` in the file together with a variable that describes one (\`CLIENT_KEYS\`, \`GRANTS\`, …) is an error.
- Unknown or repeated names are errors. Values are not converted: \`port: "8080"\` is a string, not a number, and is refused.
- A secret can be read from a file here too: \`api_key_file\`, \`signing_secret_file\`, \`redis_url_file\`, \`keys_file\`. Relative paths
  start at the directory of the configuration file.
- If several entries of \`auth.jwt\` fit a token, the first one in the file takes it. An entry that can never be reached is an error.
- Within a client app, a subject is one user, whichever issuer or backend names it: limits, budgets, revocations and tokens are
  shared. Issuers (or an issuer and a trusted backend) that could give two people the same name need separate client apps.
`;

function fileTable(): string {
  const rows = SETTINGS.map((setting) => {
    const { path, variable } = setting;
    const also = variable === undefined ? '' : `\`${variable}\``;
    return `| \`${pathText(path)}\` | ${typeText(setting)} | ${presetCell(setting)} | ${sentence(setting)} | ${also} |`;
  });
  return `| setting | type | default | meaning | variable |\n|---|---|---|---|---|\n${rows.join('\n')}\n`;
}

function pathText(path: readonly string[]): string {
  return path
    .map((key, depth) =>
      key !== '*' ? `${depth === 0 ? '' : '.'}${key}` : path[depth - 1] === 'clients' ? '.<name>' : '[]',
    )
    .join('');
}

function presetCell(setting: Setting): string {
  const preset = setting.node['x-default'] ?? code(presetText(setting));
  return preset || (isNeeded(setting) ? 'required' : 'none');
}

function code(text: string): string {
  return text && `\`${text}\``;
}

function isNeeded({ node }: Setting): boolean {
  return node['x-optional'] !== true && !('default' in node) && !('propertyNames' in node);
}

function typeText({ node }: Setting): string {
  if ('propertyNames' in node) return 'map';
  if ('anyOf' in node) return 'string or list';
  if (node.type === 'array') return 'list';
  if (node.type === 'integer') return `${node.minimum}–${node.maximum}`;
  if (node.type === 'boolean') return '`true` or `false`';
  if (node.type === 'string' && node.enum !== undefined) return node.enum.map((word) => code(word)).join(', ');
  const [example] = node.examples ?? [];
  return `${node.type === 'number' ? 'number' : 'string'}${example === undefined ? '' : `, such as ${code(String(example))}`}`;
}
