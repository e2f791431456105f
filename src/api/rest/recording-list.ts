import type { RecordingControl } from '../../service/control.ts'
import type { RecordingQuery } from '../../state/store.ts'
import type { Caller } from '../caller.ts'
import { BadRequestError } from '../errors.ts'
import { demand, demandReachOverOthers, ForbiddenError, may } from '../permission.ts'
import type { Call } from './call.ts'
import type { RouteAnswer } from './routes.ts'

type Filters = Omit<RecordingQuery, 'limit' | 'cursor'>
type PageQuery = Call<'listRoomRecordings'>['query']

/** One page of what `filters` leave. @throws BadCursorError */
export async function recordingPage(
  control: RecordingControl,
  filters: Filters,
  { limit, cursor }: PageQuery,
): Promise<RouteAnswer<'listRecordings'>> {
  const [page, count] = await Promise.all([
    control.list({ ...filters, limit, ...(cursor === undefined ? {} : { cursor }) }),
    control.count(filters),
  ])
  return {
    recordings: page.entries.map(({ recording }) => recording),
    count,
    next_cursor: page.next ?? null,
  }
}

/** What a page of a room's recordings is about: users see their own. @throws ForbiddenError */
export function roomFilters(caller: Caller, room: string, query: PageQuery): Filters {
  const ofOthers = may(caller, 'recording.read', { roomId: room, userId: null })
  const user = ofOthers ? query.user : ownId(caller, query.user)
  return { room, ...timesAndStatuses(query), ...(user === undefined ? {} : { user }) }
}

/**
 * What a page of recordings is about: the caller's own, unless it asks for those of others, and may. Who has no name has no own
 * ones, and gets all that it may see.
 * @throws ForbiddenError
 * @throws BadRequestError when a role counts in several rooms, and none of them is named
 */
export function listFilters(caller: Caller, query: Call<'listRecordings'>['query']): Filters {
  const wantsOwn = query.user === undefined ? query.all !== 'true' : query.user === caller.userId
  if (wantsOwn && caller.userId !== null) {
    const room = query.room === undefined ? {} : { room: query.room }
    return { user: caller.userId, ...room, ...timesAndStatuses(query) }
  }
  demandReachOverOthers(caller, 'recording.read')
  const room = query.room ?? onlyRoomOf(caller)
  if (room !== undefined) demand(caller, 'recording.read', { roomId: room, userId: null })
  return {
    ...(room === undefined ? {} : { room }),
    ...(query.user === undefined ? {} : { user: query.user }),
    ...timesAndStatuses(query),
  }
}

function onlyRoomOf({ rooms }: Caller): string | undefined {
  if (rooms === '*') return undefined
  const [first, second] = rooms
  if (first === undefined) throw new ForbiddenError('the token is for no room')
  if (second === undefined) return first
  const message = `your role counts in several rooms; name one of them: ${rooms.slice(0, 10).join(', ')}`
  throw new BadRequestError([{ path: 'query.room', message }])
}

function ownId({ userId }: Caller, asked: string | undefined): string {
  if (userId !== null && (asked ?? userId) === userId) return userId
  throw new ForbiddenError('recording.read reaches only what is your own')
}

function timesAndStatuses({ status, since, until }: PageQuery): Filters {
  return {
    ...(status === undefined ? {} : { statuses: status }),
    ...(since === undefined ? {} : { sinceMs: Date.parse(since) }),
    ...(until === undefined ? {} : { untilMs: Date.parse(until) }),
  }
}
