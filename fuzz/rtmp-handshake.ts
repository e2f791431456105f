import { CLIENT_KEY, SERVER_KEY, signPacket } from '../src/rtmp/digest.ts'
import { ClientHandshake, ServerHandshake } from '../src/rtmp/handshake.ts'
import type { FuzzTarget } from './target.ts'

/** Longer than both packets and the answer: nobody has to send more in a handshake. */
const MAX_SENT_BYTES = 2 * 1537 + 1536

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

function seed(cut: number, first: Buffer, restBytes: number): Buffer {
  return Buffer.concat([Buffer.from([cut]), first, Buffer.alloc(restBytes)])
}

/** Both sides of the handshake. The first byte of an input: odd for our client, even for our server; and how it is cut. */
export const target: FuzzTarget = {
  name: 'rtmp-handshake',
  seeds: () => [
    seed(0, hello(CLIENT_KEY), 1540),
    seed(6, hello(CLIENT_KEY, 0), 1540),
    seed(254, hello(CLIENT_KEY, 1), 1540),
    seed(1, hello(SERVER_KEY), 1540),
    seed(7, hello(SERVER_KEY, 0), 1536),
    seed(255, hello(SERVER_KEY, 1), 1536),
  ],
  run(input) {
    const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
    if (bytes.length === 0) return
    let sentBytes = 0
    const send = (sent: Buffer) => {
      sentBytes += sent.length
    }
    const piece = 1 + bytes[0] * 13
    const isClient = (bytes[0] & 1) === 1
    const client = isClient ? new ClientHandshake(send) : undefined
    client?.start()
    const side = client ?? new ServerHandshake(send)
    for (let at = 1; at < bytes.length && !side.done; at += piece) {
      const to = Math.min(bytes.length, at + piece)
      const used = side.receive(bytes, at, to)
      if (used < at || used > to || (used < to && !side.done)) throw new RangeError(`stopped at ${used} of ${to}`)
    }
    if (sentBytes > MAX_SENT_BYTES) throw new RangeError(`sent ${sentBytes} bytes`)
  },
}
