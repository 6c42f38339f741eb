/**
 * Asking somebody who signed in for consent.
 *
 * Owns what the consent page shows of a request, and tying its form to person and browser.
 *
 * Source: OpenID4VCI 1.0, section 15.1; FAPI 2.0 Security Profile, section 5.3.2.2.
 *
 * @module
 */
import type { NumericDate } from '@attache/core'
import { consentPage, pageResponse } from './authorization-pages.js'
import type { AuthorizeDeps, OpenRequest } from './authorize.js'
import type { CredentialTemplate } from './credential-template.js'
import type { EndpointUrls } from './endpoint-urls.js'
import type { Interactions } from './interactions.js'
import type { PushedRequestRecord } from './pushed-request-record.js'
import type { SignedInPerson } from './sign-in.js'

/** What asking needs. */
export interface AskConsentDeps extends AuthorizeDeps {
  readonly urls: EndpointUrls
  readonly templates: ReadonlyMap<string, CredentialTemplate>
  readonly interactions: Interactions
}

/** The consent page. @param facts.person With the agents this request may be approved for. */
export function askConsent(
  facts: {
    readonly request: OpenRequest
    readonly person: SignedInPerson
    readonly browser: string
    /** Set where the browser does not have it yet. */
    readonly cookie?: string | undefined
    readonly now: NumericDate
  },
  deps: AskConsentDeps,
): Response {
  const { person, now, cookie } = facts
  const { record, secret } = facts.request
  const html = consentPage({
    action: `${deps.urls.authorization}/decision`,
    interaction: deps.interactions.seal({ requestSecret: secret, person }, facts.browser, now),
    clientId: record.clientId,
    person: person.name,
    agents: person.agents,
    credentials: shownCredentials(record, deps),
  })
  return pageResponse(200, html, { redirectUri: record.redirectUri, cookie })
}

function shownCredentials({ configurationIds }: PushedRequestRecord, deps: AskConsentDeps) {
  return configurationIds.flatMap((id) => {
    const template = deps.templates.get(id)
    if (template === undefined) return []
    const claims = template.claims.map((claim) => claim.display?.[0]?.name ?? claim.name)
    return [{ name: template.name, description: template.description, claims }]
  })
}
