import { type AmfValue, parseAmf0Values, writeAmf0Values } from '../container/flv/amf0.ts'
import { MalformedError } from '../media/errors.ts'

/** A command message: a call, or the answer to one (§7.2). */
export interface Command {
  readonly name: string
  /** 0 where no answer is awaited. */
  readonly transactionId: number
  /** The command object, null mostly, and what follows it. */
  readonly args: readonly AmfValue[]
}

/** @throws MalformedError, LimitError when this is no command */
export function parseCommand(payload: Uint8Array): Command {
  const [name, transactionId, ...args] = parseAmf0Values(withoutFormat(payload))
  if (typeof name !== 'string') throw new MalformedError('RTMP command', 'does not begin with its name', 0)
  if (transactionId !== undefined && typeof transactionId !== 'number') {
    throw new MalformedError('RTMP command', `${printable(name)} has no transaction number`)
  }
  return { name, transactionId: transactionId ?? 0, args }
}

/** The values of a data message, `@setDataFrame` taken off. @throws MalformedError, LimitError */
export function parseData(payload: Uint8Array): AmfValue[] {
  const values = parseAmf0Values(withoutFormat(payload))
  if (values[0] === '@setDataFrame') values.shift()
  return values
}

/** The payload of a command message (type 20). */
export function writeCommand(command: Command): Uint8Array {
  return writeAmf0Values([command.name, command.transactionId, ...command.args])
}

/** AMF3 messages (15, 17) begin with a format byte of 0, and go on as AMF0 with AMF3 values behind a marker. */
function withoutFormat(payload: Uint8Array): Uint8Array {
  return payload[0] === 0 ? payload.subarray(1) : payload
}

/** Text of a peer for logs and messages: short, on one line. */
export function printable(text: string): string {
  return text.slice(0, 128).replace(/\p{C}/gu, '?')
}

/** The member of an AMF object, if it is one and has it. */
export function member(value: AmfValue, key: string): AmfValue {
  if (typeof value !== 'object' || value === null || value instanceof Date || Array.isArray(value)) return undefined
  return Object.hasOwn(value, key) ? value[key] : undefined
}

/** A member that is text; empty otherwise. */
export function textMember(value: AmfValue, key: string): string {
  const text = member(value, key)
  return typeof text === 'string' ? text : ''
}
