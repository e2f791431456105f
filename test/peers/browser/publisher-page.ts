/// <reference lib="dom" />

// Runs in a page of Chromium: publishes pictures and beeps by WHIP, and watches by WHEP. Driven by ../chromium-publisher.ts.

/** What pictures are like. */
export interface PictureOptions {
  readonly width: number
  readonly height: number
  readonly rateFps: number
  /** Flashes and beeps are where the wall clock is at a multiple of this, ms. */
  readonly markPeriodMs: number
  /** Lines that nothing could have foretold: what fills a bitrate. */
  readonly freshRows: number
}

/** A codec of video by its name in session descriptions. */
export type PageCodec = 'VP8' | 'VP9' | 'AV1' | 'H264'

/** How a connection goes about it. */
export interface PagePublish {
  readonly url: string
  readonly token?: string
  /** Without: whatever the browser likes best. */
  readonly codec?: PageCodec
  /** Opus without. */
  readonly audioCodec?: 'PCMU' | 'PCMA'
  readonly simulcast?: boolean
  /** Layers within one encoding, as WebRTC-SVC names them: `L3T3`. Of VP9 and AV1. */
  readonly scalabilityMode?: string
  /** As a browser that knows REMB alone. */
  readonly withoutTransportCc?: boolean
  /** Of each layer, best first; or of the one encoding. */
  readonly maxBitratesBps?: readonly number[]
  readonly video?: boolean
  readonly audio?: boolean
  /** The one way to the server: offer and answer name no other. */
  readonly via?: { readonly host: string; readonly port: number }
  /** Header extensions to be offered that are not by default, by URI. */
  readonly extensions?: readonly string[]
}

/** What one encoding has sent. */
export interface SentLayer {
  readonly kind: string
  readonly rid: string | undefined
  readonly ssrc: number
  readonly active: boolean
  readonly framesEncoded: number
  /** Handed to the network; the others the browser has thrown away itself. */
  readonly framesSent: number
  readonly keyFramesEncoded: number
  readonly packetsSent: number
  readonly retransmittedPacketsSent: number
  readonly nackCount: number
  readonly pliCount: number
  readonly firCount: number
  readonly bytesSent: number
  readonly frameWidth: number
  readonly frameHeight: number
  readonly targetBitrateBps: number
  readonly codec: string
  readonly encoder: string
  readonly limitedBy: string
}

/** What a publishing connection has sent so far. */
export interface SentFigures {
  readonly layers: readonly SentLayer[]
  readonly availableOutgoingBps: number
  readonly rttMs: number
  readonly state: string
}

/** What a watching connection has received so far. */
export interface ReceivedFigures {
  readonly framesDecoded: number
  readonly framesReceived: number
  readonly keyFramesDecoded: number
  readonly frameWidth: number
  readonly frameHeight: number
  readonly audioEnergy: number
  readonly packetsLost: number
  readonly packetsReceived: number
  readonly freezeCount: number
  readonly state: string
}

/** How the sound thread's clock stood to the wall clock over two seconds. */
export interface SoundClock {
  /** Wall clock at its first sample, ms since 1970: what beeps of the next two seconds go by. */
  readonly zeroMs: number
  /** The first sample after these two seconds. */
  readonly frame: number
}

declare global {
  interface Window {
    peer: Peer
  }
}

/** Of Chromium (mediacapture-transform). */
declare class MediaStreamTrackGenerator {
  constructor(init: { kind: 'video' })
  readonly writable: WritableStream<VideoFrame>
}

const GATHERING_MS = 2000
const LAYERS = [
  { rid: 'q', scaleResolutionDownBy: 4 },
  { rid: 'h', scaleResolutionDownBy: 2 },
  { rid: 'f', scaleResolutionDownBy: 1 },
]

interface Connection {
  readonly pc: RTCPeerConnection
  readonly resource: string
  readonly token: string | undefined
  readonly answer: string
  readonly offer: string
  readonly connectedAfterMs: number
}

class Peer {
  readonly #connections = new Map<string, Connection>()
  readonly #worker = new Worker('/picture-worker.ts', { type: 'module' })
  readonly soundClocks: SoundClock[] = []
  #picture: MediaStreamTrack | undefined
  #sound: MediaStreamTrack | undefined

  /** Begins to make pictures and sound. */
  async start(options: PictureOptions): Promise<void> {
    const generator = new MediaStreamTrackGenerator({ kind: 'video' })
    if (!(generator instanceof MediaStreamTrack)) throw new Error('a generator is a track')
    this.#picture = generator
    this.#worker.postMessage({ ...options, writable: generator.writable }, [generator.writable])
    const context = new AudioContext({ sampleRate: 48_000, latencyHint: 'interactive' })
    await context.audioWorklet.addModule('/sound-worklet.ts')
    const beeper = new AudioWorkletNode(context, 'beeper', {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { markPeriodMs: options.markPeriodMs },
    })
    beeper.port.onmessage = ({ data }) => this.soundClocks.push(data)
    const destination = context.createMediaStreamDestination()
    destination.channelCount = 1
    beeper.connect(destination)
    await context.resume()
    this.#sound = destination.stream.getAudioTracks()[0]
  }

  /** Other pictures from now on. */
  change(options: Partial<PictureOptions>): void {
    this.#worker.postMessage(options)
  }

  /** Publishes by WHIP (RFC 9725); resolves when connected, with how long that took. */
  async publish(id: string, options: PagePublish): Promise<number> {
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
    if (options.video !== false) this.#addVideo(pc, options)
    if (options.audio !== false && this.#sound) addAudio(pc, this.#sound, options.audioCodec)
    for (const transceiver of pc.getTransceivers()) offerExtensions(transceiver, options.extensions ?? [])
    return await this.#connect(id, pc, options)
  }

  /** Watches by WHEP; resolves when connected. */
  async watch(id: string, options: Pick<PagePublish, 'url' | 'token' | 'via'>): Promise<number> {
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' })
    pc.addTransceiver('video', { direction: 'recvonly' })
    pc.addTransceiver('audio', { direction: 'recvonly' })
    const stream = new MediaStream()
    pc.ontrack = ({ track }) => stream.addTrack(track)
    const video = document.createElement('video')
    video.autoplay = true
    video.srcObject = stream
    document.body.append(video)
    return await this.#connect(id, pc, options)
  }

  /** What this page makes, for whoever publishes it another way. */
  stream(): MediaStream {
    if (this.#picture === undefined || this.#sound === undefined) throw new Error('start first')
    return new MediaStream([this.#picture, this.#sound])
  }

  async sent(id: string): Promise<SentFigures> {
    const { pc } = this.#of(id)
    const all = new Map<string, Record<string, unknown>>()
    for (const [key, value] of await statsOf(pc)) all.set(key, value)
    const layers = [...all.values()].filter(({ type }) => type === 'outbound-rtp').map((each) => layerOf(each, all))
    const pair = [...all.values()].find(
      ({ type, nominated, state }) => type === 'candidate-pair' && nominated === true && state === 'succeeded',
    )
    return {
      layers,
      availableOutgoingBps: number(pair?.availableOutgoingBitrate),
      rttMs: number(pair?.currentRoundTripTime) * 1000,
      state: pc.connectionState,
    }
  }

  async received(id: string): Promise<ReceivedFigures> {
    const { pc } = this.#of(id)
    const all = (await statsOf(pc)).map(([, value]) => value)
    const video = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'video')
    const audio = all.find(({ type, kind }) => type === 'inbound-rtp' && kind === 'audio')
    return {
      framesDecoded: number(video?.framesDecoded),
      framesReceived: number(video?.framesReceived),
      keyFramesDecoded: number(video?.keyFramesDecoded),
      frameWidth: number(video?.frameWidth),
      frameHeight: number(video?.frameHeight),
      audioEnergy: number(audio?.totalAudioEnergy),
      packetsLost: number(video?.packetsLost),
      packetsReceived: number(video?.packetsReceived),
      freezeCount: number(video?.freezeCount),
      state: pc.connectionState,
    }
  }

  describe(id: string): { offer: string; answer: string; resource: string } {
    const { offer, answer, resource } = this.#of(id)
    return { offer, answer, resource }
  }

  /** Stops encoding, so that what was encoded can be counted while what was sent may still arrive. */
  async silence(id: string): Promise<void> {
    for (const sender of this.#of(id).pc.getSenders()) await sender.replaceTrack(null)
  }

  /** Turns one layer of simulcast off or on. */
  async setActive(id: string, rid: string, active: boolean): Promise<void> {
    for (const sender of this.#of(id).pc.getSenders()) {
      const parameters = sender.getParameters()
      const encoding = parameters.encodings.find((each) => each.rid === rid)
      if (encoding === undefined) continue
      encoding.active = active
      await sender.setParameters(parameters)
    }
  }

  /** Ends it as a polite client does: DELETE, then the connection. Returns the status of the answer. */
  async close(id: string): Promise<number> {
    const { pc, resource, token } = this.#of(id)
    const { status } = await fetch(resource, { method: 'DELETE', headers: bearer(token) })
    pc.close()
    this.#connections.delete(id)
    return status
  }

  /** Ends the connection and tells nobody by HTTP. */
  drop(id: string): void {
    this.#of(id).pc.close()
    this.#connections.delete(id)
  }

  #addVideo(pc: RTCPeerConnection, { codec, simulcast, scalabilityMode, maxBitratesBps = [] }: PagePublish): void {
    if (this.#picture === undefined) throw new Error('start first')
    const layers = simulcast ? LAYERS : [{}]
    const isScalable = codec === 'VP9' || codec === 'AV1'
    const sendEncodings = layers.map((layer, i) => {
      const maxBitrate = maxBitratesBps[layers.length - 1 - i]
      const mode = scalabilityMode ?? (simulcast && isScalable ? 'L1T3' : undefined)
      const scalable = mode === undefined ? {} : { scalabilityMode: mode }
      return { ...layer, ...scalable, ...(maxBitrate === undefined ? {} : { maxBitrate }) }
    })
    const transceiver = pc.addTransceiver(this.#picture, { direction: 'sendonly', sendEncodings })
    if (codec === undefined) return
    const all = RTCRtpReceiver.getCapabilities('video')?.codecs ?? []
    const wanted = all.filter(({ mimeType }) => mimeType === `video/${codec}`)
    const others = all.filter(({ mimeType }) => /\/(rtx|red|ulpfec|flexfec-03)$/.test(mimeType))
    transceiver.setCodecPreferences([...wanted, ...others])
  }

  async #connect(
    id: string,
    pc: RTCPeerConnection,
    options: Pick<PagePublish, 'url' | 'token' | 'via' | 'withoutTransportCc'>,
  ): Promise<number> {
    const beganAt = performance.now()
    await pc.setLocalDescription()
    await gathered(pc)
    const full = pc.localDescription?.sdp ?? ''
    // nobody knows of another way to this browser then
    const found = options.via === undefined ? full : full.replaceAll(/^a=(candidate|end-of-candidates).*\r\n/gm, '')
    const offer = options.withoutTransportCc
      ? found.replaceAll(/^a=.*(transport-cc|transport-wide-cc).*\r\n/gm, '')
      : found
    const response = await fetch(options.url, {
      method: 'POST',
      headers: { 'content-type': 'application/sdp', ...bearer(options.token) },
      body: offer,
    })
    const text = await response.text()
    if (response.status !== 201) throw new Error(`${options.url}: ${response.status} ${text}`)
    const answer = options.via === undefined ? text : viaProxy(text, options.via)
    const resource = new URL(response.headers.get('location') ?? '', options.url).href
    await pc.setRemoteDescription({ type: 'answer', sdp: answer })
    await connected(pc)
    const connectedAfterMs = performance.now() - beganAt
    this.#connections.set(id, { pc, resource, token: options.token, answer: text, offer, connectedAfterMs })
    return connectedAfterMs
  }

  #of(id: string): Connection {
    const connection = this.#connections.get(id)
    if (connection === undefined) throw new Error(`there is no connection ${id}`)
    return connection
  }
}

function addAudio(pc: RTCPeerConnection, sound: MediaStreamTrack, codec: PagePublish['audioCodec']): void {
  const transceiver = pc.addTransceiver(sound, { direction: 'sendonly' })
  if (codec === undefined) return
  const all = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? []
  transceiver.setCodecPreferences(all.filter(({ mimeType }) => mimeType === `audio/${codec}`))
}

function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

async function gathered(pc: RTCPeerConnection): Promise<void> {
  if (pc.iceGatheringState === 'complete') return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, GATHERING_MS)
    pc.addEventListener('icegatheringstatechange', () => {
      if (pc.iceGatheringState !== 'complete') return
      clearTimeout(timer)
      resolve()
    })
  })
}

async function connected(pc: RTCPeerConnection): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not connected: ${pc.connectionState}`)), 30_000)
    const look = () => {
      if (pc.connectionState !== 'connected' && pc.connectionState !== 'failed') return
      clearTimeout(timer)
      if (pc.connectionState === 'connected') resolve()
      else reject(new Error('the connection failed'))
    }
    pc.addEventListener('connectionstatechange', look)
    look()
  })
}

/** The answer with one candidate, the proxy's. */
function viaProxy(answer: string, { host, port }: { host: string; port: number }): string {
  const lines = answer.split(/\r?\n/).filter((line) => !line.startsWith('a=candidate:') && line !== '')
  const at = lines.findIndex((line) => line.startsWith('m='))
  const end = lines.findIndex((line, i) => i > at && line.startsWith('m='))
  lines.splice(end < 0 ? lines.length : end, 0, `a=candidate:1 1 UDP 2130706431 ${host} ${port} typ host`)
  return `${lines.join('\r\n')}\r\n`
}

function offerExtensions(transceiver: RTCRtpTransceiver, uris: readonly string[]): void {
  if (uris.length === 0) return
  // of webrtc-extensions, not in the types of the DOM yet
  const get: unknown = Reflect.get(transceiver, 'getHeaderExtensionsToNegotiate')
  const set: unknown = Reflect.get(transceiver, 'setHeaderExtensionsToNegotiate')
  if (typeof get !== 'function' || typeof set !== 'function') throw new Error('header extensions cannot be chosen')
  const all: { uri: string; direction: string }[] = get.call(transceiver)
  for (const each of all) if (uris.includes(each.uri)) each.direction = 'sendrecv'
  set.call(transceiver, all)
}

async function statsOf(pc: RTCPeerConnection): Promise<[string, Record<string, unknown>][]> {
  const found: [string, Record<string, unknown>][] = []
  for (const [key, value] of await pc.getStats()) found.push([key, value])
  return found
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function layerOf(stats: Record<string, unknown>, all: ReadonlyMap<string, Record<string, unknown>>): SentLayer {
  const codec = all.get(String(stats.codecId))
  return {
    kind: String(stats.kind),
    rid: typeof stats.rid === 'string' ? stats.rid : undefined,
    ssrc: number(stats.ssrc),
    active: stats.active === true,
    framesEncoded: number(stats.framesEncoded),
    framesSent: number(stats.framesSent),
    keyFramesEncoded: number(stats.keyFramesEncoded),
    packetsSent: number(stats.packetsSent),
    retransmittedPacketsSent: number(stats.retransmittedPacketsSent),
    nackCount: number(stats.nackCount),
    pliCount: number(stats.pliCount),
    firCount: number(stats.firCount),
    bytesSent: number(stats.bytesSent),
    frameWidth: number(stats.frameWidth),
    frameHeight: number(stats.frameHeight),
    targetBitrateBps: number(stats.targetBitrate),
    codec: String(codec?.mimeType ?? ''),
    encoder: String(stats.encoderImplementation ?? ''),
    limitedBy: String(stats.qualityLimitationReason ?? ''),
  }
}

window.peer = new Peer()
