import { CLIENT_KEY, SERVER_KEY, signPacket } from '../src/rtmp/digest.ts'
import { ClientHandshake, ServerHandshake } from '../src/rtmp/handshake.ts'
import type { FuzzTarget } from './target.ts'

/** A first packet with its version byte, signed with `scheme`, or plain without. */
function hello(key: typeof CLIENT_KEY, scheme?: 0 | 1): Buffer {
  const bytes = Buffer.alloc(1537)
  for (let i = 9; i < bytes.length; i++) bytes[i] = (i * 7) & 0xff
  bytes[0] = 3
  if (scheme !== undefined) {
    bytes.writeUInt32BE(0x09007c02, 5)
    signPacket(bytes.subarray(1), scheme, key)
  }
  return bytes
}

/** Both sides of the handshake; the first byte of an input says where it is cut. */
export const target: FuzzTarget = {
  name: 'rtmp-handshake',
  seeds: () => [
    Buffer.concat([Buffer.from([0]), hello(CLIENT_KEY), Buffer.alloc(1540)]),
    Buffer.concat([Buffer.from([7]), hello(CLIENT_KEY, 0), Buffer.alloc(1540)]),
    Buffer.concat([Buffer.from([255]), hello(CLIENT_KEY, 1), Buffer.alloc(1540)]),
    Buffer.concat([Buffer.from([3]), hello(SERVER_KEY, 0), Buffer.alloc(1536)]),
  ],
  run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    if (bytes.length === 0) return
    const piece = 1 + bytes[0] * 13
    const side = bytes[0] & 1 ? new ClientHandshake(() => undefined) : new ServerHandshake(() => undefined)
    for (let at = 1; at < bytes.length && !side.done; at += piece) {
      side.receive(bytes, at, Math.min(bytes.length, at + piece))
    }
  },
}
