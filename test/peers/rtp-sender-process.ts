import type { PeerConnection, Track } from 'node-datachannel'
import { dataChannelLibrary } from './datachannel.ts'
import type { SenderCommand, SenderReply } from './rtp-sender.ts'
import { RtpStream } from './rtp-stream.ts'

/** The process of `RtpSender`: many peers, one timer. `cm` as argument: see `dataChannelLibrary`. */
const library = dataChannelLibrary(process.argv[2] === 'cm' ? 'cm' : 'any')
library.preload()

/** How often it is looked at whose frame is due, ms. */
const TICK_MS = 1

interface Peer {
  readonly connection: PeerConnection
  readonly track: Track
  readonly streams: { stream: RtpStream; startMs: number }[]
  isConnected: boolean
  received: number
}

const peers = new Map<string, Peer>()

function reply(message: SenderReply): void {
  process.send?.(message)
}

function offer(id: string, command: Extract<SenderCommand, { type: 'offer' }>): void {
  const connection = new library.PeerConnection(id, {
    iceServers: [],
    ...(command.bindAddress === undefined ? {} : { bindAddress: command.bindAddress }),
  })
  const media = new library.Video('0', 'SendRecv')
  if (command.codec === 'vp8') media.addVP8Codec(96)
  else if (command.codec === 'vp9') media.addVP9Codec(96)
  else if (command.codec === 'av1') media.addAV1Codec(96)
  else media.addH264Codec(96)
  for (const ssrc of command.ssrcs) media.addSSRC(ssrc, 'sender', 'sender', 'video')
  const track = connection.addTrack(media)
  const peer: Peer = { connection, track, streams: [], isConnected: false, received: 0 }
  peers.set(id, peer)
  track.onMessage((packet) => {
    if (!isRtcp(packet)) peer.received++
    if (command.echo === true) reply({ type: 'received', id, packet: new Uint8Array(packet) })
  })
  connection.onStateChange((state) => {
    peer.isConnected = state === 'connected'
    reply({ type: 'state', id, state })
  })
  connection.onGatheringStateChange((state) => {
    if (state === 'complete') reply({ type: 'offer', id, sdp: connection.localDescription()?.sdp ?? '' })
  })
  connection.setLocalDescription()
}

/** RFC 5761 §4. */
function isRtcp(packet: Uint8Array): boolean {
  return packet[1] >= 192 && packet[1] <= 223
}

function tick(): void {
  const nowMs = performance.now()
  for (const [id, peer] of peers) {
    if (!peer.isConnected) continue
    for (const entry of peer.streams) {
      const { stream } = entry
      stream.sendDue(nowMs - entry.startMs, (packet) => peer.track.sendMessageBinary(packet))
      if (stream.isOver) reply({ type: 'sent', id, ssrc: stream.plan.ssrc, packets: stream.sentPackets })
    }
    peer.streams.splice(0, peer.streams.length, ...peer.streams.filter(({ stream }) => !stream.isOver))
  }
}

process.on('message', (command: SenderCommand) => {
  const peer = peers.get(command.id)
  if (command.type === 'offer') offer(command.id, command)
  else if (peer === undefined) return
  else if (command.type === 'answer') peer.connection.setRemoteDescription(command.sdp, 'answer')
  else if (command.type === 'send') {
    // spread over a frame's time, as cameras are
    const startMs = performance.now() + Math.random() * (1000 / command.plan.framesPerSecond)
    peer.streams.push({ stream: new RtpStream(command.plan), startMs })
  } else if (command.type === 'packet') peer.track.sendMessageBinary(Buffer.from(command.packet))
  else if (command.type === 'stop') {
    for (const { stream } of peer.streams.splice(0)) {
      reply({ type: 'sent', id: command.id, ssrc: stream.plan.ssrc, packets: stream.sentPackets })
    }
  } else if (command.type === 'count') reply({ type: 'counted', id: command.id, packets: peer.received })
  else if (command.type === 'close') {
    peer.connection.close()
  }
})
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
setInterval(tick, TICK_MS)
reply({ type: 'ready' })
