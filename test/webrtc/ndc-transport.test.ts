import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MalformedError } from '../../src/media/errors.ts'
import { NdcAssociation } from '../../src/webrtc/ndc/association.ts'
import { NdcTransportFactory } from '../../src/webrtc/ndc/factory.ts'
import type { LocalTransport, TransportHandler, TransportState } from '../../src/webrtc/transport.ts'
import { TransportError } from '../../src/webrtc/transport-error.ts'
import { RtpSender } from '../peers/rtp-sender.ts'
import { emptyPlan } from '../peers/rtp-stream.ts'
import { answerTo, transportOf } from '../peers/sdp-transport.ts'
import { until } from '../peers/until.ts'

const OPTIONS = { udpPort: 0, bindAddress: '127.0.0.1', publicAddresses: [], iceServers: [] }

/** Keeps what comes. */
class Listener implements TransportHandler {
  readonly sequence: number[] = []
  readonly states: TransportState[] = []
  batches = 0
  onPacket(packet: Uint8Array): void {
    this.sequence.push((packet[2] << 8) | packet[3])
  }
  onBatch(): void {
    this.batches++
  }
  onState(state: TransportState): void {
    this.states.push(state)
  }
}

/** STUN (RFC 8489 §14.2): the request came from 203.0.113.9:4444. */
function mappedAddress(request: Uint8Array): Buffer {
  const [header, mapped] = [Buffer.from('0101000c2112a442', 'hex'), Buffer.from('002000080001304eea12d54b', 'hex')]
  return Buffer.concat([header, request.subarray(8, 20), mapped])
}

function associationOf({ transport }: LocalTransport): NdcAssociation {
  if (transport instanceof NdcAssociation) return transport
  throw new Error('not of the library')
}

describe('transports by libdatachannel', () => {
  let sender: RtpSender
  beforeAll(async () => {
    sender = await RtpSender.start({ profile: 'cm' })
  })
  afterAll(() => sender.kill())

  async function connect(
    transports: NdcTransportFactory,
    id: string,
    handler: TransportHandler,
  ): Promise<LocalTransport> {
    const offer = await sender.offer(id, { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1', echo: true })
    const local = await transports.accept(transportOf(offer), handler)
    await sender.answer(id, answerTo(offer, local))
    return local
  }

  it('give the packets of several peers on one port, in the clear and in order, and take some back', async () => {
    const transports = new NdcTransportFactory({ ...OPTIONS, udpPort: 21_731, publicAddresses: ['203.0.113.7'] })
    const listeners = { anna: new Listener(), bert: new Listener() }
    const anna = await connect(transports, 'anna', listeners.anna)
    const bert = await connect(transports, 'bert', listeners.bert)
    expect(anna.candidates.map((line) => line.split(' ').slice(4, 6).join(' '))).toEqual([
      '127.0.0.1 21731',
      '203.0.113.7 21731',
    ])
    expect(bert.candidates).toHaveLength(2)
    sender.send('anna', { ...emptyPlan(7, 33, 50), maxFrames: 10 })
    sender.send('bert', { ...emptyPlan(7, 8, 50), maxFrames: 10 })
    await until(
      'what was sent',
      () => (listeners.anna.sequence.length === 330 && listeners.bert.sequence.length === 80) || undefined,
    )
    expect(listeners.anna.sequence).toEqual(Array.from({ length: 330 }, (_, i) => i))
    expect(listeners.anna.batches).toBeGreaterThan(0)
    expect(listeners.anna.batches).toBeLessThan(330)

    const report = Uint8Array.from([0x80, 201, 0, 1, 0, 0, 0, 9])
    const received = sender.received('bert')
    expect(bert.transport.send(report)).toBe(true)
    expect(await received).toEqual(report)
    expect(bert.transport.stats).toMatchObject({
      packetsReceived: 80,
      bytesReceived: 96_000,
      packetsSent: 1,
      bytesSent: 8,
    })
    expect(bert.transport.stats.remote).toMatch(/^udp 127\.0\.0\.1:\d+ \((host|prflx)\)$/)

    anna.transport.close()
    expect(bert.transport.state).toBe('connected')
    await transports.close()
    bert.transport.close()
    expect(listeners.anna.states).toEqual(['connected', 'closed'])
    expect(listeners.bert.states).toEqual(['connected', 'closed'])
    expect(bert.transport.send(report)).toBe(false)
    const late = transportOf(await sender.offer('late', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' }))
    await expect(transports.accept(late, new Listener())).rejects.toThrow(TransportError)
  })

  it('end alone when what they give is not taken', async () => {
    const transports = new NdcTransportFactory(OPTIONS)
    const states: TransportState[] = []
    const listener = new Listener()
    await connect(transports, 'thrower', {
      onPacket: () => {
        throw new Error('of the handler')
      },
      onState: (state) => {
        states.push(state)
        if (state === 'closed') throw new Error('of the handler, again')
      },
    })
    await connect(transports, 'other', listener)
    sender.send('thrower', { ...emptyPlan(7, 3, 50), maxFrames: 2 })
    await until('the end', () => states.includes('closed') || undefined)
    sender.send('other', { ...emptyPlan(7, 3, 50), maxFrames: 2 })
    await until('what was sent', () => listener.sequence.length === 6 || undefined)
    expect(states).toEqual(['connected', 'closed'])
    await transports.close()
  })

  it('tell a peer that has left, as Chromium does, from one that is not reached any more', async () => {
    const transports = new NdcTransportFactory(OPTIONS)
    const listeners = { left: new Listener(), unreached: new Listener() }
    const left = await connect(transports, 'left', listeners.left)
    const unreached = await connect(transports, 'unreached', listeners.unreached)
    await until('both', () => Object.values(listeners).every(({ states }) => states.length === 1) || undefined)
    // as the library says it: after a DTLS close_notify, and when consent has expired, half a minute later
    for (const state of ['disconnected', 'closed']) associationOf(left).stateChanged(state)
    associationOf(unreached).stateChanged('failed')
    expect(listeners.left.states).toEqual(['connected', 'disconnected', 'closed'])
    expect(listeners.unreached.states).toEqual(['connected', 'unreached', 'closed'])
    await transports.close()
  })

  it('take trickled candidates, and nothing else that is called so', async () => {
    const transports = new NdcTransportFactory(OPTIONS)
    const offer = await sender.offer('trickler', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
    const remote = transportOf(offer)
    const local = await transports.accept({ ...remote, candidates: [] }, new Listener())
    const rubbish = ['', 'candidate:', 'candidate:1 1 udp 1 evil.local 5 typ host', '\0'.repeat(300), 'a=ice-lite']
    for (const line of rubbish) local.transport.addCandidate(line)
    for (let i = 0; i < 100; i++) local.transport.addCandidate(`candidate:${i} 1 udp 1 127.0.0.1 ${9 + i} typ host`)
    for (const line of remote.candidates) local.transport.addCandidate(line)
    await sender.answer('trickler', answerTo(offer, local))
    await transports.close()
  })

  it('go over IPv6, too', async () => {
    const address = '::1'
    const transports = new NdcTransportFactory({ ...OPTIONS, bindAddress: address, publicAddresses: ['2001:db8::7'] })
    const listener = new Listener()
    const offer = await sender.offer('six', { codec: 'vp8', ssrcs: [7], bindAddress: address })
    const local = await transports.accept(transportOf(offer), listener)
    expect(local.candidates.map((line) => line.split(' ')[4])).toEqual([address, '2001:db8::7'])
    await sender.answer('six', answerTo(offer, local))
    sender.send('six', { ...emptyPlan(7, 3, 50), maxFrames: 2 })
    await until('what was sent', () => listener.sequence.length === 6 || undefined)
    expect(local.transport.stats.remote).toMatch(/^udp \[::1\]:\d+ /)
    await transports.close()
  })

  it('ask a STUN server what they look like from outside', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1')
    await once(server, 'listening')
    server.on('message', (request, { port, address }) => server.send(mappedAddress(request), port, address))
    const iceServers = [`stun:127.0.0.1:${server.address().port}`]
    const transports = new NdcTransportFactory({ ...OPTIONS, iceServers })
    const offer = await sender.offer('outside', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
    const { candidates } = await transports.accept(transportOf(offer), new Listener())
    expect(candidates.join('\n')).toMatch(/ 203\.0\.113\.9 4444 typ srflx/)
    await transports.close()
    server.close()
  })

  it('close when the peer is not who it said it was', async () => {
    const transports = new NdcTransportFactory(OPTIONS)
    const listener = new Listener()
    const offer = await sender.offer('impostor', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' })
    const fingerprint = { algorithm: 'sha-256', value: Array.from({ length: 32 }, () => 'AB').join(':') }
    const local = await transports.accept({ ...transportOf(offer), fingerprint }, listener)
    void sender.answer('impostor', answerTo(offer, local)).catch(() => {})
    await until('the end', () => listener.states.includes('closed') || undefined)
    expect(listener.states).toEqual(['closed'])
    await transports.close()
  })

  it('refuse what would end the process, and a port that is taken', async () => {
    const offer = transportOf(await sender.offer('hostile', { codec: 'vp8', ssrcs: [7], bindAddress: '127.0.0.1' }))
    const transports = new NdcTransportFactory(OPTIONS)
    const hostile = { ...offer, iceUfrag: '%s%n\r\na=group' }
    await expect(transports.accept(hostile, new Listener())).rejects.toThrow(MalformedError)
    await transports.close()

    const occupant = createSocket('udp4').bind(0, '127.0.0.1')
    await once(occupant, 'listening')
    const late = new NdcTransportFactory({ ...OPTIONS, udpPort: occupant.address().port })
    const refused = late.accept(offer, new Listener())
    await expect(refused).rejects.toThrow(TransportError)
    await expect(refused).rejects.toThrow(`UDP port ${occupant.address().port} of 127.0.0.1 taken? Then`)
    await late.close()
    occupant.close()
  })
})
