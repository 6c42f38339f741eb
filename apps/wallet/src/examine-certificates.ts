/**
 * Which certificates of the configuration will end soon: anchors, chains of our own, and those of TLS.
 *
 * Owns the dates alone; whether a chain is trusted is found out by using it. What TLS judges goes by the clock of
 * the machine, everything else by the clock of the daemon.
 *
 * Source: RFC 5280, section 4.1.2.5.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto'
import type { Finding } from '@attache/agent'
import { type ConfiguredFiles, describeFailure } from '@attache/daemon'
import { createAnchors } from '@attache/keys'
import type { WalletConfiguration } from './configuration.js'

/** One file with certificates, and what an end of them would mean. */
interface CertificateFile {
  readonly file: string
  /** `trust`: a list, one of which is enough; `certificate`: a chain, all of which is needed. */
  readonly kind: 'trust' | 'certificate'
  readonly tls: boolean
}

/** How long before its end a certificate is worth a word, in days. */
const WARNED_DAYS = 30
const DAY_MS = 86_400_000

/** Examines every certificate file of the configuration, each once. */
export function examineCertificates(
  configuration: WalletConfiguration,
  deps: {
    readonly files: ConfiguredFiles
    /** The daemon's clock and the machine's, in milliseconds since 1970. */
    readonly milliseconds: () => number
    readonly machineMilliseconds: () => number
  },
): readonly Finding[] {
  const named = [...trustFiles(configuration), ...chainFiles(configuration)]
  const once = new Map(named.map((one) => [`${one.kind}:${one.file}`, one]))
  return [...once].map(([check, one]) => {
    const now = one.tls ? deps.machineMilliseconds() : deps.milliseconds()
    try {
      if (one.kind === 'trust') createAnchors(one.file, [deps.files.text(one.file)])
      return judge(check, one.kind, daysLeft(deps.files.text(one.file), now))
    } catch (error) {
      const { message } = describeFailure(error)
      return { check, outcome: 'failed', message: `${message} The next start would fail.` }
    }
  })
}

function trustFiles(configuration: WalletConfiguration): readonly CertificateFile[] {
  const { issuers, verifiers, attestation, trustedCertificates, remote } = configuration
  const anchors = [
    ...issuers.flatMap((issuer) => [issuer.anchors, issuer.statusAnchors, issuer.metadataAnchors]),
    ...verifiers.map((verifier) => verifier.anchors),
    attestation?.attester.anchors,
  ]
  const tls = [...trustedCertificates, remote?.clientAuthority]
  const files = (names: readonly (string | undefined)[], ofTls: boolean) =>
    names.flatMap((file) => (file === undefined ? [] : [{ file, kind: 'trust' as const, tls: ofTls }]))
  return [...files(anchors, false), ...files(tls, true)]
}

function chainFiles({
  walletProvider,
  remote,
  visitors,
  inbox,
}: WalletConfiguration): readonly CertificateFile[] {
  const tls = [
    remote?.listen.tls.certificate,
    ...(remote?.clients ?? []).map(({ certificate }) => certificate),
    visitors?.listen.tls.certificate,
    inbox?.push?.listen.tls.certificate,
  ]
  const chain = (file: string | undefined, ofTls: boolean) =>
    file === undefined ? [] : [{ file, kind: 'certificate' as const, tls: ofTls }]
  return [...chain(walletProvider?.certificates, false), ...tls.flatMap((file) => chain(file, true))]
}

function certificatesIn(pem: string): readonly X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  return blocks.map((block) => new X509Certificate(block))
}

function daysLeft(pem: string, now: number): readonly number[] {
  return certificatesIn(pem).map(({ validTo }) => Math.floor((Date.parse(validTo) - now) / DAY_MS))
}

function judge(check: string, kind: CertificateFile['kind'], days: readonly number[]): Finding {
  if (days.length === 0)
    return { check, outcome: 'failed', message: 'The file holds no certificate. Restore it.' }
  // Of a list one good anchor may be enough; of a chain everything is needed.
  const decisive = kind === 'trust' ? Math.max(...days) : Math.min(...days)
  const soonest = Math.min(...days)
  if (decisive < 0) {
    const message = `The certificate has expired ${-decisive} days ago. Replace the file and restart the daemon.`
    return { check, outcome: 'failed', message }
  }
  if (soonest >= WARNED_DAYS) return { check, outcome: 'ok', message: `Good for ${soonest} days.` }
  const message =
    soonest < 0
      ? 'One certificate of the list has expired. Remove it, or what it signed is refused without a word why.'
      : `A certificate ends in ${soonest} days. Get its successor and put it into the file.`
  return { check, outcome: 'warning', message }
}
