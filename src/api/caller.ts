/** Roles that a token can give. Whoever has none, but a name (`sub`), is a plain user. */
export const ROLES = ['admin', 'operator', 'viewer'] as const
/** What somebody is, as the table of permissions knows it. */
export type Role = (typeof ROLES)[number] | 'user'

/** Whoever makes a request, as far as it is proven. */
export interface Caller {
  /** Null where nobody has to say who they are, and for tokens of a role without a name. */
  readonly userId: string | null
  readonly role: Role
  /** In which the role counts; `*` for all. */
  readonly rooms: '*' | readonly string[]
  /** On this machine, and trusted for that: showed no token. */
  readonly isLocal: boolean
}

/** Whoever needs no token may do everything. */
export function trustedCaller(isLocal: boolean): Caller {
  return { userId: null, role: 'admin', rooms: '*', isLocal }
}

/** Whether `room` is among those that the caller's role counts in. */
export function isInRoom(caller: Caller, room: string): boolean {
  return caller.rooms === '*' || caller.rooms.includes(room)
}
