import type { StoredEvent } from '../state/event-store.ts'
import { type Caller, isInRoom } from './caller.ts'
import { may } from './permission.ts'

/**
 * Whether `caller` is told of `event`: of recordings who may read them, of what goes on in a room whoever may be there, of
 * the server itself whoever may read about that.
 */
export function mayHear(caller: Caller, event: StoredEvent): boolean {
  const { room_id: roomId, recording_id: recordingId, user_id: userId } = event
  if (roomId === null) return may(caller, 'server.read', { roomId: '', userId: null })
  if (recordingId !== null) return may(caller, 'recording.read', { roomId, userId })
  return isInRoom(caller, roomId)
}
