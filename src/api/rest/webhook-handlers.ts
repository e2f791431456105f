import type { Caller } from '../caller.ts'
import { DeliveryMissingError } from '../errors.ts'
import { ForbiddenError } from '../permission.ts'
import type { Handlers } from './call.ts'
import type { ApiServices } from './services.ts'

/** What became of webhooks: `/webhooks`. They are of all rooms, and so must be who looks at them. */
export function webhookHandlers({ deliveries }: ApiServices): Handlers<'listDeliveries' | 'replayDelivery'> {
  return {
    listDeliveries: async ({ caller, query }) => {
      demandAllRooms(caller)
      const { state, recording_id, limit } = query
      const found = await deliveries.list({
        limit,
        ...(state === undefined ? {} : { states: [state] }),
        ...(recording_id === undefined ? {} : { recordingId: recording_id }),
      })
      return { deliveries: found.map((delivery) => ({ ...delivery, log: [...delivery.log] })), count: found.length }
    },
    replayDelivery: async ({ caller, params }) => {
      demandAllRooms(caller)
      if (!(await deliveries.replay(params.delivery_id))) throw new DeliveryMissingError(params.delivery_id)
      return undefined
    },
  }
}

function demandAllRooms({ rooms }: Caller): void {
  if (rooms !== '*') throw new ForbiddenError('webhook.manage is for admins of all rooms')
}
