/**
 * What the command says to people. What it says to programs is the reply itself, as JSON.
 *
 * @module
 */
import type { Finding, VisitSummary, WaitingOffer } from '@attache/agent'
import type { Decision, Presented, Received, Status } from './wallet-replies.js'

/** Longest name of a type that is shown, in characters. */
const MAX_NAME = 80

/** Says how far an offer got. */
export function describeReceived(received: Received): string {
  switch (received.outcome) {
    case 'stored':
      return `Stored ${received.credentials?.length ?? 0} credential (${printable(received.vct)}) of ${printable(received.issuer)}.`
    case 'tx_code_required': {
      const again = received.code === undefined ? '' : 'The transaction code was not accepted. '
      const length = received.length === undefined ? '' : `, ${received.length} characters`
      const hint =
        received.description === undefined ? '' : ` The issuer says: ${printable(received.description)}`
      return `${again}${printable(received.issuer)} asks for a transaction code (${printable(received.inputMode ?? 'text')}${length}), to be sent to ${printable(received.tokenEndpoint)}. Call again with --tx-code.${hint}`
    }
    case 'authorization_required':
      return `Open this link in a browser, then hand the address it ends at to: attache wallet callback\n${printable(received.authorizationUrl)}`
    case 'pending':
      return `The issuer will have the credential later; the wallet asks again by itself (next ${time(received.nextPollAt)}).`
    case 'refused':
      return `Not received: ${printable(received.message)} (${printable(received.code)})`
  }
}

/** Says what came of a request. */
export function describePresented(presented: Presented): string {
  if (presented.outcome === 'refused')
    return `Not presented. The reason: attache wallet explain --reference ${presented.reference}`
  return presented.redirectUri === undefined
    ? 'Presented.'
    : `Presented. Continue at ${printable(presented.redirectUri)}`
}

/** Lists agents and what they hold. */
export function describeStatus(status: Status): string {
  return status.agents
    .flatMap(({ agent, socket, stopped, pending, credentials, unreadable }) => [
      `${agent}${stopped ? ' (stopped)' : ''}  ${socket}${pending > 0 ? `  ${pending} under way` : ''}`,
      ...credentials.map(
        (one) =>
          `  ${one.id}  ${stateOf(one)}  ${one.copiesLeft} left  until ${time(one.expiresAt)}  renewal ${time(one.renewAt)}  ${typeOf(one)}`,
      ),
      ...(unreadable === undefined
        ? []
        : [
            `  its records cannot be read (${printable(unreadable)}): nothing is presented; restore the whole data folder`,
          ]),
      ...(credentials.length === 0 && unreadable === undefined ? ['  no credential'] : []),
    ])
    .join('\n')
}

type HeldStatus = Status['agents'][number]['credentials'][number]

// A state is as of the last look: without its time, old news would pass for new.
function stateOf({ state, hasStatusList, lookedAt }: HeldStatus): string {
  if (hasStatusList === undefined || state === 'expired') return state
  if (!hasStatusList) return `${state} (no status list)`
  return lookedAt === undefined ? `${state} (status not looked at yet)` : `${state} (as of ${time(lookedAt)})`
}

// The name is somebody else's text: quoted, one line, and beside the type itself, never in its place.
function typeOf({ name, vct }: HeldStatus): string {
  if (name === undefined) return printable(vct)
  return `${printable(vct)}  "${printable(name).replaceAll('"', "'").slice(0, MAX_NAME)}"`
}

/** Lists decisions, newest first. */
export function describeDecisions(decisions: readonly Decision[]): string {
  if (decisions.length === 0) return 'No decision is on record.'
  return decisions
    .map(({ at, agent, event, outcome, code, message, reference, facts }) => {
      const named = Object.entries(facts)
        .filter(([, value]) => value !== '')
        .map(([name, value]) => `    ${printable(name)}: ${printable(value)}`)
      return [
        `${time(at)}  ${agent}  ${event} ${outcome}: ${printable(message)} (${printable(code)}, ${reference})`,
        ...named,
      ].join('\n')
    })
    .join('\n')
}

/** Lists what was examined, what is wrong last. */
export function describeFindings(findings: readonly Finding[]): string {
  const order = ['ok', 'warning', 'failed']
  return [...findings]
    .sort((a, b) => order.indexOf(a.outcome) - order.indexOf(b.outcome))
    .map(({ check, outcome, message }) => `${outcome.padEnd(7)}  ${printable(check)}: ${printable(message)}`)
    .join('\n')
}

/** Lists offers that wait, and what each waits for. */
export function describeInbox(offers: readonly WaitingOffer[]): string {
  if (offers.length === 0) return 'No offer waits.'
  return offers
    .map(({ id, agent, issuer, needs, description }) => {
      const code = needs === 'transaction_code'
      const how = code ? `attache wallet accept ${id} --tx-code <code>` : `attache wallet accept ${id}`
      const hint = description === undefined ? '' : ` The issuer says: ${printable(description)}`
      const waits = code ? 'for its transaction code' : 'for a login'
      return `${id}  ${agent}  ${printable(issuer)}  waits ${waits}: ${how}${hint}`
    })
    .join('\n')
}

/** Lists visits, newest first. */
export function describeVisits(visits: readonly VisitSummary[]): string {
  if (visits.length === 0) return 'There was no visit.'
  return visits
    .map(({ id, at, kind, state, outcome, code }) => {
      const why = [outcome, code].filter((word) => word !== undefined).join(', ')
      return `${time(at)}  ${id}  ${kind} ${state}${why === '' ? '' : ` (${printable(why)})`}`
    })
    .join('\n')
}

// What came from a peer is shown without control characters: a terminal obeys them, and some turn a line around.
function printable(text = ''): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu, '?')
}

function time(seconds: number | undefined): string {
  return seconds === undefined ? 'never' : new Date(seconds * 1000).toISOString()
}
