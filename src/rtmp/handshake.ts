import { randomFillSync } from 'node:crypto'
import { MalformedError, UnsupportedError } from '../media/errors.ts'
import { CLIENT_KEY, findDigest, PACKET_BYTES, SERVER_KEY, signAnswer, signPacket } from './digest.ts'

/** The only version that is spoken, §5.2.2. */
const VERSION = 3
/** What we call ourselves in S1 and C1; not zero, which would mean a plain handshake. */
const SERVER_VERSION = 0x04_05_00_01
const CLIENT_VERSION = 0x09_00_7c_02

/** Collects a known number of bytes from reads of any size. */
class Collected {
  readonly #bytes: Buffer
  #have = 0

  constructor(sizeBytes: number) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes)
  }

  get whole(): Buffer | undefined {
    return this.#have === this.#bytes.length ? this.#bytes : undefined
  }

  /** Returns how many bytes it took. */
  take(bytes: Buffer, from: number, to: number): number {
    const count = bytes.copy(this.#bytes, this.#have, from, to)
    this.#have += count
    return count
  }
}

/** Our side of the handshake when a client has connected (§5.2): answers a signed C1 signed, a plain one plainly. */
export class ServerHandshake {
  readonly #send: (bytes: Buffer) => void
  #hello: Collected | undefined
  #answered = false
  #answerLeft = PACKET_BYTES
  /** The client had signed its packet. */
  signed = false

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send
  }

  get done(): boolean {
    return this.#answerLeft === 0
  }

  /**
   * Takes bytes of the handshake and returns up to where; what follows is chunks.
   * @throws MalformedError when this is no RTMP, UnsupportedError for RTMPE
   */
  receive(bytes: Buffer, from: number, to: number): number {
    if (from === to) return from
    let at = from
    if (!this.#answered) {
      if (this.#hello === undefined) {
        demandVersion(bytes[at])
        this.#hello = new Collected(1 + PACKET_BYTES)
      }
      at += this.#hello.take(bytes, at, to)
      const hello = this.#hello.whole
      if (hello === undefined) return at
      this.#answer(hello.subarray(1))
    }
    // C2 is not checked: not every client can echo, and nothing depends on it.
    const skipped = Math.min(this.#answerLeft, to - at)
    this.#answerLeft -= skipped
    return at + skipped
  }

  #answer(c1: Buffer): void {
    this.#answered = true
    this.#hello = undefined
    const out = Buffer.alloc(1 + 2 * PACKET_BYTES)
    const s1 = out.subarray(1, 1 + PACKET_BYTES)
    const s2 = out.subarray(1 + PACKET_BYTES)
    out[0] = VERSION
    randomFillSync(s1, 8)
    const found = c1.readUInt32BE(4) === 0 ? undefined : findDigest(c1, CLIENT_KEY)
    if (found === undefined) {
      c1.copy(s2)
    } else {
      this.signed = true
      s1.writeUInt32BE(SERVER_VERSION, 4)
      signPacket(s1, found.scheme, SERVER_KEY)
      randomFillSync(s2)
      signAnswer(s2, found.digest, SERVER_KEY)
    }
    this.#send(out)
  }
}

/** Our side when we have connected to a server: offers a signature, and is content with a plain answer. */
export class ClientHandshake {
  readonly #send: (bytes: Buffer) => void
  readonly #answer = new Collected(1 + 2 * PACKET_BYTES)
  #started = false
  /** The server has signed its packet too. */
  signed = false
  done = false

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send
  }

  /** Sends C0 and C1. */
  start(): void {
    const out = Buffer.alloc(1 + PACKET_BYTES)
    const c1 = out.subarray(1)
    out[0] = VERSION
    randomFillSync(c1, 8)
    c1.writeUInt32BE(CLIENT_VERSION, 4)
    signPacket(c1, 0, CLIENT_KEY)
    this.#send(out)
  }

  /** Takes bytes of the handshake and returns up to where. @throws MalformedError, UnsupportedError as the server's side */
  receive(bytes: Buffer, from: number, to: number): number {
    if (from === to || this.done) return from
    if (!this.#started) demandVersion(bytes[from])
    this.#started = true
    const at = from + this.#answer.take(bytes, from, to)
    const answer = this.#answer.whole
    if (answer !== undefined) this.#finish(answer.subarray(1, 1 + PACKET_BYTES))
    return at
  }

  #finish(s1: Buffer): void {
    const found = s1.readUInt32BE(4) === 0 ? undefined : findDigest(s1, SERVER_KEY)
    const c2 = Buffer.from(s1)
    if (found !== undefined) {
      this.signed = true
      randomFillSync(c2)
      signAnswer(c2, found.digest, CLIENT_KEY)
    }
    this.done = true
    this.#send(c2)
  }
}

function demandVersion(version: number): void {
  if (version === VERSION) return
  if (version === 6 || version === 8 || version === 9) {
    throw new UnsupportedError(`RTMP handshake: version ${version} is encrypted RTMP (RTMPE); use rtmp:// or rtmps://`)
  }
  const hint =
    version === 0x16 ? ', this looks like TLS' : version >= 0x41 && version <= 0x5a ? ', this looks like HTTP' : ''
  throw new MalformedError('RTMP handshake', `version ${version} where 3 is spoken${hint}`, 0)
}
