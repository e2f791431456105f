import type { RoomView } from '../../service/control.ts'
import { UnknownRoomError } from '../../service/errors.ts'
import { ParticipantMissingError } from '../errors.ts'
import { may } from '../permission.ts'
import type { Call, Handlers } from './call.ts'
import type { ApiServices } from './services.ts'
import { participantView, roomView } from './views.ts'

type RoomOperation = 'listRooms' | 'getRoom' | 'listParticipants' | 'disconnectParticipant'

/** What goes on now: `/rooms` and who is in them. */
export function roomHandlers({ control }: ApiServices): Handlers<RoomOperation> {
  const find = (id: string): RoomView => {
    const room = control.rooms().find(({ roomId }) => roomId === id)
    if (room === undefined) throw new UnknownRoomError(id)
    return room
  }
  const mayKnowPeers = ({ caller }: Pick<Call<'listRooms'>, 'caller'>, roomId: string) =>
    may(caller, 'participant.read', { roomId, userId: null })
  return {
    listRooms: async (call) => {
      const seen = control.rooms().filter(({ roomId }) => may(call.caller, 'room.read', { roomId, userId: null }))
      return { rooms: seen.map((room) => roomView(room, mayKnowPeers(call, room.roomId))), count: seen.length }
    },
    getRoom: async (call) => roomView(find(call.params.room_id), mayKnowPeers(call, call.params.room_id)),
    listParticipants: async ({ params }) => {
      const { participants } = find(params.room_id)
      return { participants: participants.map((each) => participantView(each, true, true)), count: participants.length }
    },
    disconnectParticipant: async ({ params: { room_id, participant_id } }) => {
      if (!control.disconnect(room_id, participant_id)) throw new ParticipantMissingError(room_id, participant_id)
      return undefined
    },
  }
}
