/**
 * The state and reason a row gets when its table is taken over without a test for it.
 *
 * By the beginning of the id, the first that fits; afterwards the lists themselves are edited, not this file.
 *
 * @module
 */

const DELEGATION = 'Delegation and workload identity are a later step with formats of their own.'
const PREFIXES =
  'A client identifier prefix beyond redirect_uri, x509 and pre-registered is a module of its own.'

/** @type {readonly (readonly [prefix: string, state: string, reason: string])[]} */
const STATES = [
  ['TX-', 'later', DELEGATION],
  ['ACT-', 'later', DELEGATION],
  ['TT-', 'later', DELEGATION],
  ['JAG-', 'later', DELEGATION],
  ['CH-', 'later', DELEGATION],
  ['WL-', 'later', DELEGATION],
  ['DSD-', 'later', DELEGATION],
  ['SDJWT-J-', 'optional', 'The JSON serialisation is optional and off by default.'],
  ['VP-V-CID-08', 'optional', PREFIXES],
  ['VP-V-CID-09', 'optional', PREFIXES],
  ['VP-V-CID-10', 'optional', PREFIXES],
  ['VP-W-CID-10', 'optional', PREFIXES],
  ['VP-W-CID-11', 'optional', PREFIXES],
  ['VP-W-CID-12', 'optional', PREFIXES],
  ['HMS-', 'later', 'No test shows this row yet: HTTP message signatures.'],
  ['CD-', 'later', 'No test shows this row yet: Content-Digest.'],
  ['MTLS-', 'later', 'No test shows this row yet: certificate-bound tokens come after DPoP-bound ones.'],
  ['VP401-', 'later', 'No test shows this row yet: route (a), for APIs without an authorization server.'],
  ['IA-', 'later', 'No test shows this row yet: the challenge route.'],
  ['IOP-', 'later', 'No test shows this row yet: what strict peers switch on and off.'],
  ['VC-M-', 'later', 'No test shows this row yet: type metadata.'],
  ['VC-C-', 'later', 'No test shows this row yet: claim metadata.'],
  ['VC-D-', 'later', 'No test shows this row yet: display metadata.'],
  ['VC-S-', 'later', 'No test shows this row yet: integrity of referenced documents.'],
  ['VCI-I-AZ-', 'later', 'No test shows this row yet: PAR and authorization endpoint.'],
  ['VCI-W-AZ-', 'later', 'No test shows this row yet: authorization code flow.'],
  ['VCI-I-ENC-', 'later', 'No test shows this row yet: message encryption.'],
  ['VCI-W-ENC-', 'later', 'No test shows this row yet: message encryption.'],
  ['VCI-I-DEF-', 'later', 'No test shows this row yet: deferred issuance.'],
  ['VCI-W-DEF-', 'later', 'No test shows this row yet: deferred issuance.'],
  ['VCI-I-NTF-', 'later', 'No test shows this row yet: notification.'],
  ['VCI-W-NTF-', 'later', 'No test shows this row yet: notification.'],
  ['VP-V-TXD-', 'later', 'No test shows this row yet: transaction data.'],
  ['VP-W-TXD-', 'later', 'No test shows this row yet: transaction data.'],
]

/**
 * @param {string} id
 * @returns {{ state: string, reason: string }}
 */
export function stateOf(id) {
  const [, state, reason] = STATES.find(([prefix]) => id.startsWith(prefix)) ?? [
    '',
    'later',
    'No test shows this row yet.',
  ]
  return { state, reason }
}
