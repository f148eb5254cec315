// The TLS context of connections to Redis, from files: authorities trusted in addition to Node's, and a client certificate.
import { createSecureContext, type SecureContext } from 'node:tls';
import { type Certificate, loadAuthorities, loadCertificate, trustOptions } from '../../config/certificate-files.ts';
import type { RedisTlsFiles } from '../../config/config.ts';
import { wrongCertificates, wrongPemPair } from '../../config/pem-files.ts';
import { type PemWatch, type PemWatching, watchPemFiles } from '../../config/watch-pem-files.ts';

export interface RedisTls extends PemWatch {
  /** For the next connection that is made. */
  readonly context: SecureContext;
}

/** PEM texts. */
interface Trust {
  readonly ca: readonly string[] | null;
  readonly certificate: Certificate | null;
}

/** Rejects if a file cannot be read or used. If changed files cannot be used later, the earlier ones stay in use. */
export async function openRedisTls(files: RedisTlsFiles, watching: PemWatching): Promise<RedisTls> {
  const { caFile, certificate } = files;
  const inUse = await load(files);
  let context = contextOf(inUse);
  const watch = watchPemFiles({
    ...watching,
    files: [...(caFile === null ? [] : [caFile]), ...(certificate === null ? [] : Object.values(certificate))],
    load: () => load(files),
    inUse,
    use(found) {
      context = contextOf(found);
    },
    whatIsWrong: () => whatIsWrongWith(files),
  });
  return {
    get context() {
      return context;
    },
    look: watch.look,
    stop: watch.stop,
  };
}

async function load(files: RedisTlsFiles): Promise<Trust> {
  const { caFile, certificate } = files;
  const [ca, loaded] = await Promise.all([
    caFile === null ? null : loadAuthorities(caFile),
    certificate === null ? null : loadCertificate(certificate),
  ]);
  return { ca, certificate: loaded };
}

function contextOf({ ca, certificate }: Trust): SecureContext {
  return createSecureContext({ ...trustOptions(ca), ...certificate });
}

function whatIsWrongWith({ caFile, certificate }: RedisTlsFiles): string {
  const wrong = certificate === null ? [] : wrongPemPair(certificate.certFile, certificate.keyFile);
  const sentences = [...wrong.map((one) => one.wrong), caFile === null ? undefined : wrongCertificates(caFile)];
  return sentences.filter((one) => one !== undefined).join('; ') || 'the files cannot be used for TLS';
}
