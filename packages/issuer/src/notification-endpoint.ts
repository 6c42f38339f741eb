/**
 * The Notification Endpoint.
 *
 * Source: OpenID4VCI 1.0, section 11.
 *
 * @module
 */
import type { Route } from '@attache/core'
import { parseNotificationRequest } from '@attache/openid4vci'
import type { EndpointUrls } from './endpoint-urls.js'
import { recordNotification } from './notification-record.js'
import {
  type AuthorizedRequest,
  type ProtectedEndpointDeps,
  protectedEndpoint,
} from './protected-endpoint.js'
import { readJsonBody } from './request-body.js'

const CODE = 'invalid_notification_request'

/** The route of the Notification Endpoint. */
export function notificationEndpoint(deps: ProtectedEndpointDeps & { readonly urls: EndpointUrls }): Route {
  const work = async (request: Request, { grant, guards }: AuthorizedRequest): Promise<Response> => {
    const notification = parseNotificationRequest(await readJsonBody(request, CODE))
    await recordNotification({ request: notification, grantId: grant.id, guards }, deps)
    return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store' } })
  }
  const place = { url: deps.urls.notification, event: 'issuer.notification' }
  return protectedEndpoint({ ...place, accepts: { types: ['application/json'], code: CODE } }, work, deps)
}
