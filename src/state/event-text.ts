import { z } from 'zod'
import { parseText } from './entry-text.ts'
import type { NewEvent, StoredEvent } from './event-store.ts'

const newEventSchema = z.object({
  id: z.string(),
  type: z.string(),
  room_id: z.string().nullable(),
  recording_id: z.string().nullable(),
  user_id: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  time: z.string(),
}) satisfies z.ZodType<NewEvent>

/** Without its number, which stands beside it. */
export function writeEvent({ id, type, room_id, recording_id, user_id, data, time }: NewEvent): string {
  return JSON.stringify({ id, type, room_id, recording_id, user_id, data, time })
}

/** @throws StateDamagedError */
export function parseEvent(seq: number, text: string): StoredEvent {
  return { ...parseText(newEventSchema, `event ${seq}`, text), seq }
}

/** When it happened, ms since 1970; now where its time says nothing. */
export function eventTimeMs({ time }: NewEvent): number {
  const ms = Date.parse(time)
  return Number.isFinite(ms) ? ms : Date.now()
}

/** What deliveries of an event are ordered by. */
export function deliveryKey({ recording_id, room_id }: NewEvent): string {
  return recording_id ?? room_id ?? ''
}
