import { TapedeckError } from '../media/errors.ts'
import { type Caller, isInRoom, type Role } from './caller.ts'

/** How far a permission goes. `room`: in the rooms of the token, and, for recordings, one's own wherever they are. */
type Reach = 'none' | 'own' | 'room' | 'all'

/** Who may do what: the only place where it is said. The table in docs/api.md is this one. */
export const PERMISSIONS = {
  'recording.start': { user: 'room', viewer: 'none', operator: 'room', admin: 'room' },
  'recording.list': { user: 'room', viewer: 'room', operator: 'room', admin: 'room' },
  'recording.read': { user: 'own', viewer: 'room', operator: 'room', admin: 'room' },
  'recording.control': { user: 'own', viewer: 'none', operator: 'room', admin: 'room' },
  'recording.hold': { user: 'none', viewer: 'none', operator: 'room', admin: 'room' },
  'recording.delete': { user: 'own', viewer: 'none', operator: 'own', admin: 'room' },
  'room.read': { user: 'none', viewer: 'room', operator: 'room', admin: 'room' },
  'participant.read': { user: 'none', viewer: 'none', operator: 'room', admin: 'room' },
  'participant.disconnect': { user: 'none', viewer: 'none', operator: 'room', admin: 'room' },
  'job.read': { user: 'none', viewer: 'none', operator: 'room', admin: 'room' },
  'job.control': { user: 'none', viewer: 'none', operator: 'room', admin: 'room' },
  /** Of all rooms: see `webhookHandlers`. */
  'webhook.manage': { user: 'none', viewer: 'none', operator: 'none', admin: 'all' },
  'server.read': { user: 'none', viewer: 'none', operator: 'all', admin: 'all' },
} as const satisfies Readonly<Record<string, Readonly<Record<Role, Reach>>>>

/** Something that not everybody may do. */
export type Permission = keyof typeof PERMISSIONS

/** What a permission is asked for. */
export interface Target {
  readonly roomId: string
  /** Of a recording; null where it has no owner, or where there is no recording yet. */
  readonly userId: string | null
}

/** The caller is known, and may not do this. */
export class ForbiddenError extends TapedeckError {
  readonly code = 'TD_FORBIDDEN'
  readonly fault = 'caller'

  constructor(problem: string) {
    super(`not allowed: ${problem}`)
  }
}

/**
 * Lets pass who may do `permission` at all: before it is looked what there is, so that nobody learns more than they may.
 * @throws ForbiddenError
 */
export function demandRole(caller: Caller, permission: Permission): void {
  if (PERMISSIONS[permission][caller.role] !== 'none') return
  throw new ForbiddenError(`${permission} is not for the role "${caller.role}"`)
}

/**
 * Lets pass who may do `permission` to more than what is their own.
 * @throws ForbiddenError
 */
export function demandReachOverOthers(caller: Caller, permission: Permission): void {
  demandRole(caller, permission)
  if (reachOf(caller, permission) === 'own') throw new ForbiddenError(`${permission} reaches only what is your own`)
}

/**
 * Lets pass who may do `permission` to `target`.
 * @throws ForbiddenError
 */
export function demand(caller: Caller, permission: Permission, target: Target): void {
  if (may(caller, permission, target)) return
  demandRole(caller, permission)
  const whose = reachOf(caller, permission) === 'own' ? 'what is your own' : 'the rooms of your token'
  throw new ForbiddenError(`${permission} reaches only ${whose}`)
}

/** Whether `caller` may do `permission` to `target`. */
export function may(caller: Caller, permission: Permission, target: Target): boolean {
  const reach = reachOf(caller, permission)
  if (reach === 'none') return false
  if (reach === 'all' || (target.userId !== null && target.userId === caller.userId)) return true
  return reach === 'room' && isInRoom(caller, target.roomId)
}

function reachOf(caller: Caller, permission: Permission): Reach {
  return PERMISSIONS[permission][caller.role]
}
