/**
 * The state and reason a row gets when its table is taken over without a test for it.
 *
 * By the beginning of the id, the first that fits; afterwards the lists themselves are edited, not this file.
 *
 * @module
 */

/** @type {readonly (readonly [prefix: string, state: string, reason: string])[]} */
const STATES = [
  ['TX-', 'later', 'Delegation: token exchange comes with its own format, after the first release.'],
  ['TT-', 'later', 'Delegation: transaction tokens come after the first release.'],
  ['JAG-', 'later', 'Delegation: identity assertion grants come after the first release.'],
  ['CH-', 'later', 'Delegation: identity chaining comes after the first release.'],
  ['WL-', 'later', 'Delegation: workload identity comes after the first release.'],
  ['DSD-', 'later', 'Delegation: delegate SD-JWT is an individual draft, after the first release.'],
  ['SDJWT-J-', 'optional', 'The JSON serialisation is optional and off by default.'],
  ['HMS-', 'later', 'HTTP message signatures: the profile is a module of its own after the main job.'],
  ['MTLS-', 'later', 'Certificate-bound tokens come after DPoP-bound ones.'],
  [
    'VP401-',
    'later',
    'Route (a), for APIs without an authorization server, comes after the challenge route.',
  ],
]

/**
 * @param {string} id
 * @returns {{ state: string, reason: string }}
 */
export function stateOf(id) {
  const [, state, reason] = STATES.find(([prefix]) => id.startsWith(prefix)) ?? [
    '',
    'later',
    'No test names this row yet.',
  ]
  return { state, reason }
}
