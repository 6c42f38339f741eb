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

/** The route of the Notification Endpoint. */
export function notificationEndpoint(deps: ProtectedEndpointDeps & { readonly urls: EndpointUrls }): Route {
  const work = async (request: Request, { grant, guards }: AuthorizedRequest): Promise<Response> => {
    const notification = parseNotificationRequest(await readJsonBody(request, 'invalid_notification_request'))
    await recordNotification({ request: notification, grantId: grant.id, guards }, deps)
    return new Response(null, { status: 204, headers: { 'Cache-Control': 'no-store' } })
  }
  return protectedEndpoint({ url: deps.urls.notification, event: 'issuer.notification' }, work, deps)
}
