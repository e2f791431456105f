import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { MalformedError, UnsupportedError } from '../../src/media/errors.ts'
import { CLIENT_KEY, findDigest, SERVER_KEY, signPacket } from '../../src/rtmp/digest.ts'
import { ClientHandshake, ServerHandshake } from '../../src/rtmp/handshake.ts'
import { pattern } from './collector.ts'

/** Runs both sides against each other, every byte by itself or all at once. */
function shake(pieceBytes: number): { client: ClientHandshake; server: ServerHandshake } {
  const toServer: Buffer[] = []
  const toClient: Buffer[] = []
  const client = new ClientHandshake((bytes) => toServer.push(bytes))
  const server = new ServerHandshake((bytes) => toClient.push(bytes))
  const move = (queue: Buffer[], side: { receive(bytes: Buffer, from: number, to: number): number }) => {
    for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) {
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const to = Math.min(bytes.length, at + pieceBytes)
        expect(side.receive(bytes, at, to)).toBe(to)
      }
    }
  }
  client.start()
  for (let i = 0; i < 3; i++) {
    move(toServer, server)
    move(toClient, client)
  }
  return { client, server }
}

describe('handshake', () => {
  it('is signed between our two sides, however it is cut', () => {
    for (const pieceBytes of [1, 1000, 4096]) {
      const { client, server } = shake(pieceBytes)
      expect([client.done, client.signed, server.done, server.signed]).toEqual([true, true, true, true])
    }
  })

  it('answers a plain C1 with itself, and leaves what follows C2', () => {
    const sent: Buffer[] = []
    const server = new ServerHandshake((bytes) => sent.push(bytes))
    const c0c1 = Buffer.concat([Buffer.from([3]), Buffer.alloc(8), pattern(1528)])
    const rest = Buffer.concat([c0c1, Buffer.alloc(1536), Buffer.from([0xaa, 0xbb])])
    expect(server.receive(rest, 0, rest.length)).toBe(rest.length - 2)
    expect([server.done, server.signed]).toEqual([true, false])
    expect([sent[0].length, sent[0][0]]).toEqual([3073, 3])
    expect(sent[0].subarray(1537).equals(c0c1.subarray(1))).toBe(true)
  })

  it('finds digests of both schemes, wherever they lie', () => {
    for (const scheme of [0, 1] as const) {
      for (let seed = 0; seed < 40; seed++) {
        const packet = pattern(1536, seed)
        const digest = signPacket(packet, scheme, CLIENT_KEY)
        expect(findDigest(packet, CLIENT_KEY)).toEqual({ scheme, digest })
        expect(findDigest(packet, SERVER_KEY)).toBeUndefined()
      }
    }
  })

  it('signs S1 and S2 as clients check them', () => {
    for (const scheme of [0, 1] as const) {
      const sent: Buffer[] = []
      const server = new ServerHandshake((bytes) => sent.push(bytes))
      const c1 = pattern(1536)
      c1.writeUInt32BE(0x0a002d02, 4)
      const digest = signPacket(c1, scheme, CLIENT_KEY)
      server.receive(Buffer.concat([Buffer.from([3]), c1]), 0, 1537)
      expect(findDigest(sent[0].subarray(1, 1537), SERVER_KEY)?.scheme).toBe(scheme)
      const s2 = sent[0].subarray(1537)
      const key = createHmac('sha256', SERVER_KEY.whole).update(digest).digest()
      expect(createHmac('sha256', key).update(s2.subarray(0, 1504)).digest().equals(s2.subarray(1504))).toBe(true)
    }
  })

  it('takes a broken signature for a plain handshake', () => {
    const sent: Buffer[] = []
    const server = new ServerHandshake((bytes) => sent.push(bytes))
    const c1 = pattern(1536)
    c1.writeUInt32BE(0x0a002d02, 4)
    server.receive(Buffer.concat([Buffer.from([3]), c1]), 0, 1537)
    expect(server.signed).toBe(false)
    expect(sent[0].subarray(1537).equals(c1)).toBe(true)
  })

  it('refuses other versions at their first byte, and says what they look like', () => {
    const first = (byte: number) => new ServerHandshake(() => undefined).receive(Buffer.from([byte]), 0, 1)
    expect(() => first(6)).toThrow(UnsupportedError)
    expect(() => first(0x16)).toThrow(/TLS/)
    expect(() => first(0x47)).toThrow(/HTTP/)
    expect(() => first(0)).toThrow(MalformedError)
    expect(() => new ClientHandshake(() => undefined).receive(Buffer.from('HTTP/1.1'), 0, 8)).toThrow(/HTTP/)
  })
})
